"""An environment of its own for each of the other servers, made once and kept in the user's cache."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

from loadtests.servers.contenders import Server, Unavailable

INSTALL_SECONDS = 900.0
_DONE = "installed.txt"
_VERSIONS = (
    "import importlib.metadata as m, json, platform, sys; "
    "names = {d.name.lower().replace('_', '-'): d.version for d in m.distributions()}; "
    "print(json.dumps({**{n: names[n] for n in sys.argv[1:] if n in names}, 'Python': platform.python_version()}))"
)


def requirements(server: Server) -> list[str]:
    """What its environment needs: the server, and the onnxruntime that this process has, so that all run one."""
    return [*server.requires, f"onnxruntime=={importlib.metadata.version('onnxruntime')}"]


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def is_installed(server: Server, folder: Path) -> bool:
    """Whether the environment stands with what is required today."""
    done = folder / _DONE
    return done.exists() and done.read_text(encoding="utf-8").split() == requirements(server)


def install(server: Server, folder: Path) -> None:
    """Make the environment with pip. Raises `Unavailable` with what pip said."""
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python_in(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *requirements(server)])
    (folder / _DONE).write_text("\n".join(requirements(server)), encoding="utf-8")


def versions(server: Server, python: Path) -> dict[str, str]:
    """The versions of Python, the server and what it stands on. Raises `Unavailable` if `python` does not run."""
    names = [server.package, *server.built_on, "onnxruntime", "numpy"]
    found: dict[str, str] = json.loads(_run([str(python), "-c", _VERSIONS, *names]))
    return found


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(last_line(done.stderr) or f"exit code {done.returncode} of {' '.join(command[:4])}")
    return done.stdout


def last_line(text: str) -> str:
    """The last line that says something, not too long."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
