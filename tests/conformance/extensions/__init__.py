"""Widely used Flask extensions, unchanged, on the core and on Flask: what a client sees has to be the same.

Each file in apps/ is a small application with one extension, named as that is imported, and a client's visit to it.
``python -m tests.conformance.extensions core`` (or ``real``) lets all of them be visited and prints what was answered.
"""

from __future__ import annotations

import ast
from pathlib import Path

APPS = Path(__file__).with_name("apps")
NAMES = tuple(sorted(file.stem for file in APPS.glob("flask_*.py")))


def described(name: str) -> tuple[str, str]:
    """The name that people use for an extension, and what the application does with it: its docstring's two parts."""
    docstring = ast.get_docstring(ast.parse((APPS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, does = docstring.partition("\n")[0].partition(": ")
    return title, does
