"""List the private names of Flask that extensions use: ``python -m tests.conformance.surface.private``.

The command reads the source distributions of extension_suites and of ``sources.toml``. A name counts if an extension
imports, reads, sets or defines it, or has it as a string, and if one of Flask's modules, classes or objects has it.
"""

from __future__ import annotations

import ast
import contextvars
import inspect
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ..extension_suites.run import default_cache, fetched
from ..extension_suites.suites import load

FILE = Path(__file__).with_name("private.txt")
SOURCES = Path(__file__).with_name("sources.toml")
_HEAD = "# Private names of Flask that extensions touch. Made by: python -m tests.conformance.surface.private\n"
_PRIVATE = re.compile(r"_[a-z][a-z0-9_]*")


def names_in(source: str) -> Iterator[str]:
    """Yield the private names that a module imports, reads, sets or defines, or has as strings."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return  # A script for Python 2.
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                found = name
            case ast.Constant(value=str(text)):
                found = text
            case _:
                continue
        if _PRIVATE.fullmatch(found):
            yield found


def modules_of(archive: Path) -> Iterator[str]:
    """Yield the text of each module of a source distribution, without its tests, examples and documentation."""
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")[1:]
            if member.isfile() and member.name.endswith(".py") and not {"tests", "examples", "docs"} & {*parts}:
                file = tar.extractfile(member)
                assert file is not None
                yield file.read().decode("utf-8")


def flasks() -> set[str]:
    """Return the private names of Flask's modules, classes and objects, without names such as ``__init__``."""
    from .walk import OBJECTS, classes, modules

    found = {name for _, module, _ in modules() for name, value in vars(module).items() if not inspect.ismodule(value)}
    found |= {name for _, theirs, _ in classes() for name in dir(theirs)}
    for make in OBJECTS.values():
        found |= {*contextvars.Context().run(lambda make=make: dir(make("flask")))}
    return {name for name in found if _PRIVATE.fullmatch(name)}


def touched() -> dict[str, list[str]]:
    """Return the private names of Flask that extensions use, each with the titles of these extensions."""
    known, found = flasks(), dict[str, list[str]]()
    for suite in (*load(), *load(SOURCES)):
        sources = modules_of(fetched(suite, default_cache()))
        for name in sorted({name for source in sources for name in names_in(source)} & known):
            found.setdefault(name, []).append(suite.title)
    return dict(sorted(found.items()))


def read(path: Path = FILE) -> frozenset[str]:
    """Return the names in the file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition(":")[0] for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    lines = [f"{name}: {', '.join(titles)}\n" for name, titles in touched().items()]
    FILE.write_text(_HEAD + "".join(lines), encoding="utf-8", newline="\n")
