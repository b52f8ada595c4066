"""Writing files that others may read or name: never through a link, and never half."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def create_file(path: Path, content: bytes) -> None:
    """Write a new file. Raises FileExistsError if anything has its name, be it a link to nothing.

    A link that somebody else has put there would otherwise choose which file is written.
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
    """Write a file in the place of another one, or of a link, in one step."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    create_file(new, content)
    try:
        os.replace(new, path)
    except BaseException:
        new.unlink()
        raise
