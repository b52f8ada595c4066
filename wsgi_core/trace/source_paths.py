"""Short paths of source files, as a trace shows them."""

from __future__ import annotations

import os
import sys
from functools import cache


@cache
def short_path(filename: str) -> str:
    """Return the path of a source file, relative to the `sys.path` entry that contains the file, with forward slashes.

    If no entry contains the file, the path is relative to the folder that contains the file's package.
    """
    roots = [os.path.abspath(entry) for entry in sys.path]
    inside = [root for root in roots if filename.startswith(root.rstrip(os.sep) + os.sep)]
    root = max(inside, key=len) if inside else _above_its_package(filename)
    return os.path.relpath(filename, root).replace(os.sep, "/") if root else os.path.basename(filename)


def _above_its_package(filename: str) -> str:
    """Return the folder that contains the outermost package of a file.

    This finds the folder of an editable install, which may not be on `sys.path`.
    """
    folder = os.path.dirname(filename)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder
