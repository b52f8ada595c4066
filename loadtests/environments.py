"""Virtual environments for another Python, for other versions of a package, or for a model server.

The environments are kept in the user's cache, so each environment is created only once.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtests.child import ROOT
from loadtests.instrument.inprocess import RunFailed
from wsgi_core.shared.cache import cache_dir

INSTALL_SECONDS = 900.0
_DONE = "installed.txt"
# All model servers use this process's version of this package.
RUNTIME = "onnxruntime"


def interpreter(requires: Sequence[str], python: str = sys.executable, runtime: bool = True) -> str:
    """Return the path of the Python in a virtual environment with the packages ``requires``.

    If there is no such environment yet, create it with ``python`` and pip. If ``runtime`` is true, the environment also
    gets the version of onnxruntime that this process has. Raises ``RunFailed`` if the environment cannot be created.
    """
    wanted = [*requires, *([f"{RUNTIME}=={importlib.metadata.version(RUNTIME)}"] if runtime else [])]
    name = hashlib.sha256("\n".join([str(Path(python).resolve()), *wanted]).encode()).hexdigest()[:16]
    folder = cache_dir() / "environments" / name
    found = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / _DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([python, "-m", "venv", str(folder)])
        _run([str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
        (folder / _DONE).write_text("\n".join(wanted), encoding="utf-8")
    return str(found)


def own_packages(python: str) -> str:
    """Copy ``loadtests`` and ``wsgi_core`` into the virtual environment of ``python``. Return the folder of the copies.

    With this folder on ``sys.path``, ``python`` imports the two copies, and all other packages from its own
    environment.
    """
    folder = Path(python).parent.parent / "own"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("loadtests", "wsgi_core"):
        shutil.copytree(Path(ROOT, name), folder / name, ignore=shutil.ignore_patterns("__pycache__", "static"))
    return str(folder)


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of ``packages`` in the environment of ``python``, and the version of Python as ``"Python"``.

    Raises ``RunFailed`` if a package is not installed in the environment.
    """
    program = (
        "import importlib.metadata as m, json, platform, sys; "
        "about = {name: m.version(name) for name in sys.argv[1:]}; "
        "print(json.dumps({'Python': platform.python_version(), **about}))"
    )
    found: dict[str, str] = json.loads(_run([python, "-P", "-c", program, *packages], "find the versions of packages"))
    return found


def _run(command: list[str], purpose: str = "create a virtual environment") -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunFailed(f"could not {purpose}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise RunFailed(f"could not {purpose}: {' '.join(command)}\n{said}")
    return done.stdout
