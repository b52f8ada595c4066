"""Write files without following a symbolic link at the path.

The functions are safe in a folder that other users can write to. `replace_file` is atomic. `create_file` is not atomic,
but removes the file if the write fails.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def create_file(path: Path, content: bytes) -> None:
    """Write a new file. Raises FileExistsError if the path exists, even if it is a dangling symbolic link."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically. An existing file or symbolic link at the path is replaced."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    create_file(new, content)
    try:
        os.replace(new, path)
    except BaseException:
        new.unlink()
        raise
