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
    return cache_root() / "flask-suite"


def cache_root() -> Path:
    """The folder of all that the project's tests fetch."""
    if moved := os.environ.get("WSGI_CORE_CACHE"):
        return Path(moved)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "wsgi_core"


def check_sdist(path: Path, sha256: str = FLASK_SHA256) -> Path:
    """Return `path` if it holds exactly the bytes that are pinned; raise FetchError otherwise."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}") from error
    if digest != sha256:
        raise FetchError(f"{path} is not the pinned source distribution: its SHA-256 is {digest}, not {sha256}")
    return path


def sdist(cache: Path) -> Path:
    """Flask's source distribution: from the cache, or by pip into the cache."""
    return pinned_sdist(cache, "flask", FLASK_VERSION, SDIST_NAME, FLASK_SHA256)


def pinned_sdist(cache: Path, project: str, version: str, file: str, sha256: str) -> Path:
    """The source distribution `file` of a project: from the cache, or by pip into the cache."""
    kept = cache / file
    if kept.exists():
        return check_sdist(kept, sha256)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        _download(Path(scratch), project, version, sha256)
        os.replace(check_sdist(Path(scratch) / file, sha256), kept)
    return kept


def _download(folder: Path, project: str, version: str, sha256: str) -> None:
    # pip asks a source distribution for its metadata, which takes its build backend. It comes the same way
    # as the sdist; where that fails, a build backend that is installed already will do.
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{project}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
    command = ["download", "--no-deps", "--no-binary", project, "-d", str(folder), "-r", str(wanted)]
    try:
        pip(command)
    except FetchError as first:
        try:
            pip([*command, "--no-build-isolation"])
        except FetchError:
            raise first from None


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the tests, the sources and the pytest settings of `archive`; return the folder they stand in."""
    top = f"flask-{FLASK_VERSION}"
    wanted = (f"{top}/tests/", f"{top}/src/", f"{top}/pyproject.toml")
    with tarfile.open(archive) as tar:
        # Python has the filter since 3.11.4, and Debian stable has 3.11.2.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder, [m for m in tar if m.name.startswith(wanted)])
    return folder / top


def pinned_packages(cache: Path) -> Path:
    """A folder with the packages of pins.txt, made once for each interpreter and each text of pins.txt."""
    kept = cache / f"pins-{_pins_key()}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache))
        try:
            pip(["install", "--no-deps", "--only-binary", ":all:", "--target", str(scratch), "-r", str(PINS)])
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


def pip(arguments: Sequence[str]) -> None:
    """Run pip; raise FetchError with its last line if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    # The pipeline's own pins are not those of this suite.
    environ = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=environ)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["(nothing)"]
        raise FetchError(
            f"pip {arguments[0]} failed: {said[-1]}\nGive the sdist by --sdist FILE, or see why pip fails."
        )
