"""Buffers for request bodies. A small body is stored in memory, and a large body in a temporary file."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from io import BytesIO
from typing import Any

SMALL = 1 << 20
"""The largest size in bytes of a body that may be stored in memory."""

MEMORY = 64 << 20
"""The limit in bytes for all bodies in memory together.

The limit is above what arrives within `max_wait` on a busy server (about 30 MB a second of JSON). CPython releases the
GIL for each operation on a file, so under load each body in a temporary file delays the I/O thread by tens of ms.
"""

ALWAYS = 16 << 10
"""The largest size in bytes of a body that is kept in memory even if a limit is reached.

Otherwise a few clients that send large bodies slowly could make the server refuse every other request with a body. The
memory for these small bodies is limited by the number of connections.
"""


class NoSpace(OSError):
    """Raised when the bodies on disk would exceed their common limit."""


class ByteBudget:
    """A count of bytes that several owners share, with a `limit`. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve `size` bytes if the limit allows. Return whether the bytes were reserved."""
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
        """Whether the count is above `limit`."""
        return self.used > self.limit


class BodyBudget:
    """The limits for all bodies together, in `memory` and on `disk`."""

    def __init__(self, disk: int, memory: int) -> None:
        self.memory = ByteBudget(memory)
        self.disk = ByteBudget(disk)


class SpooledBody:
    """The buffer for one request body.

    `expected` is the length of the body, or 0 if the length is unknown. A body above `SMALL` is stored in a temporary
    file. A body above `ALWAYS` is also stored in a temporary file if the bodies in memory would otherwise exceed their
    common limit.
    """

    def __init__(self, budget: BodyBudget, expected: int = 0) -> None:
        self._held = budget.memory
        self._disk = budget.disk
        self._in_memory = True
        self._memory = SMALL if expected <= SMALL else 0
        self._file: Any = BytesIO()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Append `data`. Raises NoSpace if the limit on disk is reached, and OSError if the disk is full."""
        if self._in_memory and not self._take_memory(len(data)):
            self._move_to_disk()
        if not self._in_memory and not self._disk.take(len(data)):
            raise NoSpace("the request bodies on disk would exceed max_body_disk")
        self._size += len(data)
        self._file.write(data)

    def getfile(self) -> Any:
        """Return a file object that is positioned at the start of the body."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Discard the body."""
        self._held.add(-self._size)
        self._size = 0
        # If the disk is full, close() tries to write the rest of the file's buffer again.
        with contextlib.suppress(OSError):
            self._file.close()

    def __len__(self) -> int:
        return self._size

    def _take_memory(self, more: int) -> bool:
        """Reserve memory for `more` bytes. Return False if the body must move to disk."""
        size = self._size + more
        if size <= min(self._memory, ALWAYS):
            self._held.add(more)
            return True
        return size <= self._memory and self._held.take(more)

    def _move_to_disk(self) -> None:
        if not self._disk.take(self._size):
            raise NoSpace("the request bodies on disk would exceed max_body_disk")
        self._held.add(-self._size)
        self._held, self._in_memory = self._disk, False
        kept, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 (see `close`)
        self._file.write(kept.getbuffer())


class DiscardBuffer:
    """A buffer that only counts bytes, for the body of a request that is refused."""

    def __init__(self, size: int) -> None:
        self._size = size

    def append(self, data: bytes) -> None:
        """Discard `data`."""
        self._size += len(data)

    def getfile(self) -> BytesIO:
        """Return an empty file."""
        return BytesIO()

    def close(self) -> None:
        """Do nothing, because no data is stored."""

    def __len__(self) -> int:
        return self._size
