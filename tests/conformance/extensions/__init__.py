"""Widely used Flask extensions, unchanged, on the core and on Flask: a client must get the same responses.

Each file in apps/ is a small application with one extension, and the requests of a client. The file has the name of the
extension's module. ``python -m tests.conformance.extensions core`` (or ``real``) sends the requests to all applications
and prints the responses.
"""

from __future__ import annotations

import ast
from pathlib import Path

APPS = Path(__file__).with_name("apps")
NAMES = tuple(sorted(file.stem for file in APPS.glob("flask_*.py")))


def described(name: str) -> tuple[str, str]:
    """Return the extension's usual name, and what the application does with it: the two parts of its docstring."""
    docstring = ast.get_docstring(ast.parse((APPS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, does = docstring.partition("\n")[0].partition(": ")
    return title, does
