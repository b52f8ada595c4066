"""Download a suite, and run it on one side in its own virtual environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from ..flask_suite import fetch
from ..flask_suite.suite import PLUGIN, PYTEST, Outcomes, clean_environment, core_folder, watch
from .suites import Suite

STARTUP = Path(__file__).with_name("startup")


def default_cache() -> Path:
    """Return the cache folder for source distributions and virtual environments."""
    return fetch.cache_root() / "extension-suites"


def fetched(suite: Suite, cache: Path) -> Path:
    """Return the pinned source distribution of a suite. If it is not in the cache, pip downloads it."""
    return fetch.pinned_sdist(cache, suite.project, suite.version, suite.sdist, suite.sha256)


def environment(lock: Path, cache: Path) -> Path:
    """Return a virtual environment with the packages of a lock file.

    It is created once for each interpreter and each version of the lock file. Raises FetchError if pip fails.
    """
    text = f"{lock.read_text(encoding='utf-8')}{sys.version}{sysconfig.get_platform()}"
    folder = cache / f"{lock.stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / "whole").exists():
        # A virtual environment contains its own path, so it cannot be moved. The file "whole" marks it as complete.
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=os.name != "nt")
        fetch.pip(["--python", str(python_of(folder)), "install", "--no-deps", "--prefer-binary", "-r", str(lock)])
        (folder / "whole").touch()
    return folder


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a source distribution. Return its top folder."""
    with tarfile.open(archive) as tar:
        # Python has the filter since 3.11.4, and Debian stable has 3.11.2.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)
    (top,) = folder.iterdir()
    return top


def run(suite: Suite, subject: str, cache: Path, only: Sequence[str] = ()) -> Outcomes:
    """Run a suite, or `only` some tests of it, against `subject`: "core" or "real"."""
    made = environment(suite.lock, cache)
    with tempfile.TemporaryDirectory(prefix="extension-suites-", ignore_cleanup_errors=True) as scratch:
        place = Path(scratch).resolve()
        top = unpacked(fetched(suite, cache), place / "sdist")
        environ = clean_environment(subject, [STARTUP, PLUGIN, copied_core(place / "core")]) | dict(suite.environ)
        environ["PATH"] = os.pathsep.join([str(python_of(made).parent), environ.get("PATH", "")])
        plugins = [argument for plugin in suite.plugins for argument in ("-p", plugin)]
        command = [str(python_of(made)), *PYTEST, "-o", "addopts=", *plugins, *suite.options, *(only or suite.tests)]
        return watch(command, top, environ)


_NOT_OF_THE_CORE = shutil.ignore_patterns(
    "__pycache__", "_models", "commands", "inference", "serving", "service", "trace"
)


def copied_core(folder: Path) -> Path:
    """Copy only the core into `folder`, and return `folder`.

    A suite has its own package ``tests``. The original folder of the core may have a package of the same name, so it
    must not be on ``sys.path``.
    """
    shutil.copytree(core_folder() / "wsgi_core", folder / "wsgi_core", ignore=_NOT_OF_THE_CORE)
    return folder
