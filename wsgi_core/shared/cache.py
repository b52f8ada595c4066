"""Where this project keeps what it can fetch or build again: a folder of the user's, as each system has it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The project's folder in the user's cache; `WSGI_CORE_CACHE` names another. Nothing is created.

    Linux: `$XDG_CACHE_HOME/wsgi_core`, by default `~/.cache/wsgi_core`; macOS: `~/Library/Caches/wsgi_core`;
    Windows: `%LOCALAPPDATA%\\wsgi_core`.
    """
    given = os.environ.get("WSGI_CORE_CACHE")
    return Path(given) if given else _system_cache() / "wsgi_core"


def built_models_dir() -> Path:
    """Where `wsgi-core models build` puts models: a repository, as `ModelRepository(on_demand=...)` takes it."""
    return cache_dir() / "models"


def _system_cache() -> Path:
    home = Path(os.path.expanduser("~"))  # unlike Path.home() no error where the user has none, as in containers
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
