"""Send the same requests to whole applications on both sides: ``python -m tests.conformance.applications``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from ..extension_suites.run import default_cache
from ..flask_suite.fetch import FetchError
from .answers import Answer
from .run import LOCKS, visited
from .visits import APPLICATIONS, Application

ROOT = Path(__file__).resolve().parents[3]
RESULT = ROOT / "docs" / "applications.json"
PAGE = ROOT / "docs" / "applications.md"

_HEAD = """\
# Whole applications on the core

<!-- Written by python -m tests.conformance.applications; do not edit. -->

These applications run unchanged on Flask 3.1.3 and on the core, each in an environment of its own, and get the same
requests. Status, headers and bodies are compared; numbers that differ from run to run and random identifiers are taken
out of both, and headers about the moment or the server (`Date`, `Server`, `Content-Length`, `ETag` and their like) are
not compared.

| application | what is done with it | responses compared | different |
|---|---|---:|---:|
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    said = argparse.ArgumentParser(
        prog="python -m tests.conformance.applications",
        description=__doc__,
        epilog="Exit code: 0 the same responses, 1 a difference, 2 an environment could not be created.",
    )
    said.add_argument("names", nargs="*", metavar="APPLICATION", help="Locust, Dash, MLflow (default: all)")
    said.add_argument("--check", action="store_true", help="write no page")
    said.add_argument("--cache", type=Path, default=default_cache(), help="cache folder (%(default)s)")
    return said


def version(application: Application) -> str:
    """Return the version of the application, from its lock file."""
    name = application.name.lower()
    lines = (LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{name}=="))


def differences(real: list[Answer], core: list[Answer]) -> Iterator[str]:
    """Yield a text for each request whose responses differ."""
    if len(real) != len(core):
        yield f"{len(real)} responses on Flask, {len(core)} on the core"
    for theirs, ours in zip(real, core, strict=False):
        if theirs != ours:
            yield f"{theirs.request}\n  Flask {_first_difference(theirs, ours)}"


def _first_difference(theirs: Answer, ours: Answer) -> str:
    if (theirs.status, theirs.headers) != (ours.status, ours.headers):
        return f"{theirs.status} {theirs.headers}\n  core  {ours.status} {ours.headers}"
    at = next((i for i, (a, b) in enumerate(zip(theirs.body, ours.body, strict=False)) if a != b), 0)
    return f"...{theirs.body[max(0, at - 60) : at + 200]!r}\n  core  ...{ours.body[max(0, at - 60) : at + 200]!r}"


def write(found: dict[str, dict[str, object]]) -> None:
    """Store the result and write the page. Stored results of other applications are kept."""
    stored = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    stored |= found
    RESULT.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8", newline="\n")
    rows = [
        f"| {each.name} {stored[each.name]['version']} | {each.does} | {stored[each.name]['compared']}"
        f" | {stored[each.name]['different']} |\n"
        for each in APPLICATIONS
        if each.name in stored
    ]
    PAGE.write_text(_HEAD + "".join(rows), encoding="utf-8", newline="\n")


def main() -> int:
    """Run the command. Return its exit code."""
    options, found, code = parser().parse_args(), {}, 0
    for application in APPLICATIONS:
        if options.names and application.name not in options.names:
            continue
        try:
            real, core = (visited(application, subject, options.cache) for subject in ("real", "core"))
        except FetchError as error:
            print(error, file=sys.stderr)
            return 2
        different = list(differences(real, core))
        print(f"{application.name}: {len(core)} responses, {len(different)} differ", *different, sep="\n", flush=True)
        code = code or bool(different)
        found[application.name] = {
            "version": version(application), "compared": len(core), "different": len(different),
        }  # fmt: skip
    if not options.check:
        write(found)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
