"""Bring what the suite runs on into a cache folder: Flask's source distribution and the pinned packages.

Nothing here is vendored. pip fetches both by name from the index that the machine's pip is set up for; the
source distribution is checked against its SHA-256 every time it is used, not only when it arrives.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

FLASK_VERSION = "3.1.3"
FLASK_SHA256 = "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb"
SDIST_NAME = f"flask-{FLASK_VERSION}.tar.gz"
PINS = Path(__file__).with_name("pins.txt")


_ADVICE = (
    "The suite takes Flask's source distribution and the packages of pins.txt from the index that pip is set up for. "
    "Without one: --sdist FILE --versions installed."
)


class FetchError(Exception):
    """What the suite runs on could not be had. The text says what, why, and what to do."""


def default_cache() -> Path:
    """The user's cache folder for this suite; the environment variable WSGI_CORE_CACHE moves it."""
    if moved := os.environ.get("WSGI_CORE_CACHE"):
        return Path(moved) / "flask-suite"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "wsgi_core" / "flask-suite"


def check_sdist(path: Path) -> Path:
    """Return `path` if it holds exactly the bytes that are pinned; raise FetchError otherwise."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}") from error
    if digest != FLASK_SHA256:
        raise FetchError(f"{path} is not Flask {FLASK_VERSION}'s sdist: SHA-256 {digest}, not {FLASK_SHA256}")
    return path


def sdist(cache: Path) -> Path:
    """Flask's source distribution: from the cache, or by pip into the cache."""
    kept = cache / SDIST_NAME
    if kept.exists():
        return check_sdist(kept)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        _download(Path(scratch))
        os.replace(check_sdist(Path(scratch) / SDIST_NAME), kept)
    return kept


def _download(folder: Path) -> None:
    # pip asks a source distribution for its metadata, which takes its build backend. It comes the same way
    # as the sdist; where that fails, a flit_core that is installed already will do.
    wanted = folder / "wanted.txt"
    wanted.write_text(f"flask=={FLASK_VERSION} --hash=sha256:{FLASK_SHA256}\n", encoding="utf-8")
    command = ["download", "--no-deps", "--no-binary", "flask", "-d", str(folder), "-r", str(wanted)]
    try:
        _pip(command)
    except FetchError as first:
        try:
            _pip([*command, "--no-build-isolation"])
        except FetchError:
            raise first from None


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the tests, the sources and the pytest settings of `archive`; return the folder they stand in."""
    top = f"flask-{FLASK_VERSION}"
    wanted = (f"{top}/tests/", f"{top}/src/", f"{top}/pyproject.toml")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, [m for m in tar if m.name.startswith(wanted)], filter="data")
    return folder / top


def pinned_packages(cache: Path) -> Path:
    """A folder with the packages of pins.txt, made once for each interpreter and each text of pins.txt."""
    kept = cache / f"pins-{_pins_key()}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache))
        try:
            _pip(["install", "--no-deps", "--only-binary", ":all:", "--target", str(scratch), "-r", str(PINS)])
            os.replace(scratch, kept)
        except OSError:
            # Another run was faster: what it put there is the same.
            if not kept.exists():
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return kept


def _pins_key() -> str:
    text = f"{PINS.read_text(encoding='utf-8')}{sys.version}{sysconfig.get_platform()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _pip(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    # The pipeline's own pins are not those of this suite.
    environ = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=environ)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["(nothing)"]
        raise FetchError(
            f"pip {arguments[0]} failed: {said[-1]}\nGive the sdist by --sdist FILE, or see why pip fails."
        )
