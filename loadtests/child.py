"""Run a module of this package in a process of its own: ``python -P child.py MODULE [ARGUMENTS]``.

With ``-P`` the current folder is not on Python's path: a user's folder that has a package called ``loadtests`` does not
replace this one. The folder of this package is appended, so that a checkout need not be installed.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


def command(module: str, *arguments: str, python: str = sys.executable, root: str | Path = ROOT) -> list[str]:
    """Return the command that runs ``module`` of the package in ``root`` in a process of its own, by ``python``."""
    return [python, "-P", str(Path(root, "loadtests", "child.py")), module, *arguments]


def import_from_here() -> None:
    """Import from the current folder first from now on, as servers do, and forget this package's own modules.

    A user's application may have packages called ``loadtests`` or ``tests``. The modules of this package that are
    loaded keep each other; only their names are free.
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
