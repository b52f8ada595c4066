"""Create and replace files. On POSIX, a symbolic link at the path is never followed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def create_file(path: Path, content: bytes) -> None:
    """Write a new file. If the write fails, remove the file.

    Raises FileExistsError if the path exists. On POSIX, this includes a symbolic link to a missing file.
    """
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
