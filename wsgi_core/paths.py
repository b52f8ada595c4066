"""Where a module or package lies, and what prefix it is installed under."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path


def _find_spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def get_root_path(import_name: str) -> str:
    """Return the folder of a module or package, the current one if it isn't importable.

    Raises RuntimeError for a namespace package, which has no folder of its own.
    Mirrors flask 3.1.3 helpers.py: get_root_path.
    """
    file: str | None = getattr(sys.modules.get(import_name), "__file__", None)
    if file is None:
        spec = _find_spec(import_name)
        if spec is None or spec.loader is None:
            return os.getcwd()
        if hasattr(spec.loader, "get_filename"):
            file = spec.loader.get_filename(import_name)
        else:
            file = getattr(importlib.import_module(import_name), "__file__", None)
    if file is None:
        no_file = "its import gives no file name, as with a namespace package. Pass 'root_path'."
        raise RuntimeError(f"No root path can be found for the provided module {import_name!r}: {no_file}")
    return os.path.dirname(os.path.abspath(file))


def _package_path(import_name: str) -> str:
    """Return the folder that the top-level package or module of ``import_name`` lies in."""
    spec = _find_spec(import_name.partition(".")[0])
    if spec is None:
        return os.getcwd()
    folders = list(spec.submodule_search_locations or ())
    if spec.origin not in {None, "namespace"}:
        folder = os.path.dirname(spec.origin)
        return os.path.dirname(folder) if folders else folder
    # A namespace package may lie in several places: take the one that holds the named package.
    package = importlib.util.find_spec(import_name)
    if package is not None and package.submodule_search_locations:
        inside = Path(os.path.commonpath(list(package.submodule_search_locations)))
        folders = [folder for folder in folders if inside.is_relative_to(folder)]
    return os.path.dirname(folders[0])


def find_package(import_name: str) -> tuple[str | None, str]:
    """Return the prefix that the package is installed under, None if it isn't, and the folder it lies in.

    Mirrors flask 3.1.3 sansio/scaffold.py: find_package.
    """
    path = _package_path(import_name)
    if Path(path).is_relative_to(os.path.abspath(sys.prefix)):
        return os.path.abspath(sys.prefix), path
    parent, folder = os.path.split(path)
    if folder.lower() != "site-packages":
        return None, path
    lib_parent, lib = os.path.split(parent)
    if lib.lower() == "lib":  # Windows: prefix\Lib\site-packages
        return lib_parent, path
    if os.path.basename(lib_parent).lower() == "lib":  # POSIX: prefix/lib/python3.x/site-packages
        return os.path.dirname(lib_parent), path
    return parent, path
