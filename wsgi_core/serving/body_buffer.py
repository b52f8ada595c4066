"""Where a request's body is kept until the request is complete: in memory if it is small, else in a temporary file."""

from __future__ import annotations

import tempfile
import threading
from io import BytesIO
from typing import Any

SMALL = 1 << 20
"""Bytes up to which a body may be kept in memory."""

MEMORY = 16 << 20
"""Bytes of all bodies that are kept in memory."""


class NoSpace(OSError):
    """All bodies together have as many bytes on disk as they may have."""


class ByteBudget:
    """Bytes that several owners hold together, at most `limit`. Any thread may call it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes if they are free; return whether they were."""
        with self._lock:
            if self.used + size > self.limit:
                return False
            self.used += size
        return True

    def add(self, size: int) -> None:
        """Count `size` bytes more (or fewer, if negative), whether or not they are free."""
        with self._lock:
            self.used += size

    @property
    def exceeded(self) -> bool:
        """Whether more is held than `limit`."""
        return self.used > self.limit


class BodyBudget:
    """What all bodies hold: `memory` and `disk`."""

    def __init__(self, disk: int, memory: int) -> None:
        self.memory = ByteBudget(memory)
        self.disk = ByteBudget(disk)


class SpooledBody:
    """One body of `expected` bytes, or of unknown length (0): the buffer that waitress' receivers fill.

    The file is made with the first byte that does not fit into memory.
    """

    def __init__(self, budget: BodyBudget, expected: int = 0) -> None:
        self._held = budget.memory
        self._disk = budget.disk
        self._in_memory = True
        self._memory = SMALL if expected <= SMALL else 0
        self._file: Any = BytesIO()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Keep `data`. Raises NoSpace, or OSError if the disk is full."""
        if self._in_memory and not (self._size + len(data) <= self._memory and self._held.take(len(data))):
            self._move_to_disk()
        if not self._in_memory and not self._disk.take(len(data)):
            raise NoSpace("the bodies on disk have as many bytes as they may have")
        self._size += len(data)
        self._file.write(data)

    def getfile(self) -> Any:
        """Return a file to read the body from."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Discard the body."""
        self._file.close()
        self._held.add(-self._size)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def _move_to_disk(self) -> None:
        if not self._disk.take(self._size):
            raise NoSpace("the bodies on disk have as many bytes as they may have")
        self._held.add(-self._size)
        self._held, self._in_memory = self._disk, False
        kept, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 (see `close`)
        self._file.write(kept.getbuffer())


class DiscardBuffer:
    """A buffer that keeps nothing and counts: for the body of a request that is refused."""

    def __init__(self, size: int) -> None:
        self._size = size

    def append(self, data: bytes) -> None:
        """Discard `data`."""
        self._size += len(data)

    def getfile(self) -> BytesIO:
        """Return an empty file."""
        return BytesIO()

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def __len__(self) -> int:
        return self._size
