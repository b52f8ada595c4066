"""The cache folder, for files that this project can make again, such as built models."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder that `WSGI_CORE_CACHE` names, or by default the project's folder in the user's cache.

    Linux: `$XDG_CACHE_HOME/wsgi_core`, by default `~/.cache/wsgi_core`; macOS: `~/Library/Caches/wsgi_core`; Windows:
    `%LOCALAPPDATA%\\wsgi_core`. The folder is not created.
    """
    given = os.environ.get("WSGI_CORE_CACHE")
    return Path(given) if given else _system_cache() / "wsgi_core"


def built_models_dir() -> Path:
    """Return the folder to which `wsgi-core models build` writes by default."""
    return cache_dir() / "models"


def _system_cache() -> Path:
    home = Path(os.path.expanduser("~"))  # Path.home() raises for a user without a home folder, as in containers
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
