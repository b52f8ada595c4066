"""Fetch a suite, and run it on one side in an environment of its own."""

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
    """The user's cache folder for source distributions and environments."""
    return fetch.cache_root() / "extension-suites"


def fetched(suite: Suite, cache: Path) -> Path:
    """The pinned source distribution."""
    return fetch.pinned_sdist(cache, suite.project, suite.version, suite.sdist, suite.sha256)


def environment(lock: Path, cache: Path) -> Path:
    """A virtual environment with the packages of a lock file, made once for each interpreter and each text of it."""
    text = f"{lock.read_text(encoding='utf-8')}{sys.version}{sysconfig.get_platform()}"
    folder = cache / f"{lock.stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / "whole").exists():
        # A virtual environment knows its own path: it is made in its place, and the mark says that it is whole.
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=os.name != "nt")
        fetch.pip(["--python", str(python_of(folder)), "install", "--no-deps", "--prefer-binary", "-r", str(lock)])
        (folder / "whole").touch()
    return folder


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a source distribution; return its top folder."""
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
    """Copy the core alone into `folder`, and return the folder.

    The folder that the core lies in may have a package ``tests``, and what runs here has its own.
    """
    shutil.copytree(core_folder() / "wsgi_core", folder / "wsgi_core", ignore=_NOT_OF_THE_CORE)
    return folder
