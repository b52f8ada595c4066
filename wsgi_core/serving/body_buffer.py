"""Buffers for request bodies. A small body is stored in memory, and a large body in a temporary file."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from io import BytesIO
from typing import Any

MAX_IN_MEMORY = 1 << 20
"""The maximum size in bytes of a body that may be stored in memory."""

MEMORY_LIMIT = 64 << 20
"""The limit in bytes for all bodies in memory together. Bodies of at most `ALWAYS_IN_MEMORY` bytes may exceed the
limit.
"""

ALWAYS_IN_MEMORY = 16 << 10
"""The maximum size in bytes of a body that is stored in memory even if `MEMORY_LIMIT` is reached.

Otherwise, a few slow clients with large bodies could make the server refuse all other requests with bodies.
"""


class NoSpace(OSError):
    """Raised if the bodies in temporary files would exceed their common limit."""


class ByteBudget:
    """A thread-safe count of bytes with a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Add `size` to the count, unless the count would exceed the limit. Return whether `size` was added."""
        with self._lock:
            if self.used + size > self.limit:
                return False
            self.used += size
        return True

    def add(self, size: int) -> None:
        """Add `size`, which may be negative, to the count. The limit is not checked."""
        with self._lock:
            self.used += size

    @property
    def exceeded(self) -> bool:
        """Whether the count is above the limit."""
        return self.used > self.limit


class BodyBudget:
    """The limits in bytes for all request bodies together, in memory and on disk."""

    def __init__(self, disk: int, memory: int) -> None:
        self.memory = ByteBudget(memory)
        self.disk = ByteBudget(disk)


class SpooledBody:
    """The buffer for one request body. `expected` is the length of the body, or 0 if the length is not known.

    A body of more than `MAX_IN_MEMORY` bytes is stored in a temporary file. If `MEMORY_LIMIT` is reached, a body of
    more than `ALWAYS_IN_MEMORY` bytes is also stored in a temporary file.
    """

    def __init__(self, budget: BodyBudget, expected: int = 0) -> None:
        self._budget = budget.memory
        self._disk = budget.disk
        self._in_memory = True
        self._memory = MAX_IN_MEMORY if expected <= MAX_IN_MEMORY else 0
        self._file: Any = BytesIO()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Append `data`. Raises NoSpace if the limit on disk would be exceeded, and OSError if the disk is full."""
        if self._in_memory and not self._take_memory(len(data)):
            self._move_to_disk()
        if not self._in_memory and not self._disk.take(len(data)):
            raise NoSpace("the request bodies on disk would exceed max_body_disk")
        self._size += len(data)
        self._file.write(data)

    def getfile(self) -> Any:
        """Return a file object at the start of the body."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Discard the body."""
        self._budget.add(-self._size)
        self._size = 0
        # close() writes the rest of the file's buffer, which fails if the disk is full.
        with contextlib.suppress(OSError):
            self._file.close()

    def __len__(self) -> int:
        return self._size

    def _take_memory(self, more: int) -> bool:
        """Reserve memory for `more` bytes. Return False if the body must move to disk."""
        size = self._size + more
        if size <= min(self._memory, ALWAYS_IN_MEMORY):
            self._budget.add(more)
            return True
        return size <= self._memory and self._budget.take(more)

    def _move_to_disk(self) -> None:
        if not self._disk.take(self._size):
            raise NoSpace("the request bodies on disk would exceed max_body_disk")
        self._budget.add(-self._size)
        self._budget, self._in_memory = self._disk, False
        kept, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 (see `close`)
        self._file.write(kept.getbuffer())


class DiscardBuffer:
    """A buffer that only counts bytes, for the body of a rejected request. The count begins at `size`."""

    def __init__(self, size: int) -> None:
        self._size = size

    def append(self, data: bytes) -> None:
        """Count the bytes of `data`."""
        self._size += len(data)

    def getfile(self) -> BytesIO:
        """Return an empty file object."""
        return BytesIO()

    def close(self) -> None:
        """Do nothing, because no data is stored."""

    def __len__(self) -> int:
        return self._size
