"""Download Flask's source distribution and the pinned packages into a cache folder.

No copy of them is in this repository. pip downloads them from the index for which it is configured. The source
distribution is checked against its SHA-256 every time it is used, not only after the download.
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
    """A download that the suite needs has failed. The message says which, why, and what to do."""


def default_cache() -> Path:
    """Return the cache folder of this suite. The environment variable WSGI_CORE_CACHE changes its location."""
    return cache_root() / "flask-suite"


def cache_root() -> Path:
    """Return the cache folder for all downloads of the project's tests."""
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
    """Return `path` if the file has the pinned SHA-256. Raise FetchError otherwise, or if it cannot be read."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}") from error
    if digest != sha256:
        raise FetchError(f"{path} is not the pinned source distribution: its SHA-256 is {digest}, not {sha256}")
    return path


def sdist(cache: Path) -> Path:
    """Return Flask's source distribution. If it is not in the cache, pip downloads it."""
    return pinned_sdist(cache, "flask", FLASK_VERSION, SDIST_NAME, FLASK_SHA256)


def pinned_sdist(cache: Path, project: str, version: str, file: str, sha256: str) -> Path:
    """Return the source distribution `file` of a project. If it is not in the cache, pip downloads it."""
    kept = cache / file
    if kept.exists():
        return check_sdist(kept, sha256)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        _download(Path(scratch), project, version, sha256)
        os.replace(check_sdist(Path(scratch) / file, sha256), kept)
    return kept


def _download(folder: Path, project: str, version: str, sha256: str) -> None:
    # To read the metadata of a source distribution, pip downloads its build backend. If that fails, try with the build
    # backend that is already installed.
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
    """Unpack the tests, the sources and the pytest settings of `archive`. Return the folder that has them."""
    top = f"flask-{FLASK_VERSION}"
    wanted = (f"{top}/tests/", f"{top}/src/", f"{top}/pyproject.toml")
    with tarfile.open(archive) as tar:
        # Python has the filter since 3.11.4, and Debian stable has 3.11.2.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder, [m for m in tar if m.name.startswith(wanted)])
    return folder / top


def pinned_packages(cache: Path) -> Path:
    """Return a folder with the packages of pins.txt. It is made once for each interpreter and version of pins.txt."""
    kept = cache / f"pins-{_pins_key()}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache))
        try:
            pip(["install", "--no-deps", "--only-binary", ":all:", "--target", str(scratch), "-r", str(PINS)])
            os.replace(scratch, kept)
        except OSError:
            # Another run has created the same folder meanwhile.
            if not kept.exists():
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return kept


def _pins_key() -> str:
    text = f"{PINS.read_text(encoding='utf-8')}{sys.version}{sysconfig.get_platform()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pip(arguments: Sequence[str]) -> None:
    """Run pip. If it fails, raise FetchError with the last line of its output."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    # CI sets PIP_CONSTRAINT for the project's own packages. This suite has other pins.
    environ = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=environ)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["(nothing)"]
        raise FetchError(
            f"pip {arguments[0]} failed: {said[-1]}\nGive the sdist by --sdist FILE, or see why pip fails."
        )
