"""Run a module of this package in a new process: ``python -P child.py MODULE [ARGUMENTS]``.

``-P`` keeps the current folder off ``sys.path``, so that another package called ``loadtests`` in this folder cannot
replace this package. This file appends the folder that contains this package to ``sys.path``, so that the package need
not be installed.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


def command(module: str, *arguments: str, python: str = sys.executable, root: str | Path = ROOT) -> list[str]:
    """Return the command line that runs ``module`` of this package with the interpreter ``python``.

    ``root`` is the folder that contains the package.
    """
    return [python, "-P", str(Path(root, "loadtests", "child.py")), module, *arguments]


def import_from_here() -> None:
    """Put the current folder first on ``sys.path``, and remove this package from ``sys.modules``.

    Servers put the current folder first, too. After this call, a user's application can import its own package called
    ``loadtests``.
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
