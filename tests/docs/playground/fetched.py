"""Download the playground's third-party parts once, and check them against their hashes."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "docs" / "playground"
CACHE = SOURCES.parents[1] / ".cache" / "playground"
# Only MarkupSafe has a compiled part, which is not used. So the versions of Python and of the platform do not matter.
_WHEELS_FOR = ["--python-version", "3.13", "--platform", "any", "--platform", "manylinux2014_x86_64"]


def npm_modules() -> Path:
    """Return the folder of the npm packages that package-lock.json pins. npm checks their hashes."""
    folder = CACHE / "npm"
    modules, lock = folder / "node_modules", SOURCES / "package-lock.json"
    installed = folder / "package-lock.json"
    if modules.is_dir() and installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return modules
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCES / "package.json", folder / "package.json")
    shutil.copyfile(lock, installed)
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm was not found: the playground takes Pyodide and CodeMirror from it. Install Node.js.")
    subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return modules


def wheels() -> list[Path]:
    """Return the wheels that requirements.txt pins. Their hashes are checked."""
    requirements, folder = SOURCES / "requirements.txt", CACHE / "wheels"
    wanted = set(re.findall(r"sha256:(\w+)", requirements.read_text(encoding="utf-8")))
    if not wanted <= set(_hashes(folder)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += [*_WHEELS_FOR, "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
        subprocess.run(command, check=True)
    found = _hashes(folder)
    return sorted(found[each] for each in wanted)


def _hashes(folder: Path) -> dict[str, Path]:
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in folder.glob("*.whl")}
