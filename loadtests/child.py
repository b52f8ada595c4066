"""Run a module of this package in a new process: ``python -P child.py MODULE [ARGUMENTS]``.

With ``-P``, the current folder is not on Python's path, so a package of the user's that is called ``loadtests`` does
not replace this one. The folder that contains this package is appended to the path, so that a checkout works without
installing it.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


def command(module: str, *arguments: str, python: str = sys.executable, root: str | Path = ROOT) -> list[str]:
    """Return the command that runs ``module`` of the package in ``root`` with the interpreter ``python``."""
    return [python, "-P", str(Path(root, "loadtests", "child.py")), module, *arguments]


def import_from_here() -> None:
    """Put the current folder first on Python's path, as servers do, and remove this package from ``sys.modules``.

    A user's application may have packages called ``loadtests`` or ``tests``. Modules of this package that are loaded
    already keep their references to each other.
    """
    if os.getcwd() not in sys.path[:1]:
        sys.path.insert(0, os.getcwd())
    for name in [name for name in sys.modules if name.partition(".")[0] == "loadtests"]:
        del sys.modules[name]


if __name__ == "__main__":
    if ROOT not in sys.path:
        sys.path.append(ROOT)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
