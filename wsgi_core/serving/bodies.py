"""Where a body is kept until its request is whole: a small one in memory, if all of them together fit, else a file."""

from __future__ import annotations

import tempfile
import threading
from io import BytesIO
from typing import Any

SMALL = 1 << 20
"""Bytes up to which a body may wait in memory. A larger one takes enough of it once it is worked on."""


class Bodies:
    """The bodies on their way, of which ``limit`` bytes together are kept in memory.

    To write to a file costs the I/O thread several times as much, and as often lets another thread on.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is memory for so many bytes more; then it is taken."""
        with self._lock:
            if self._free < size:
                return False
            self._free -= size
        return True

    def give_back(self, size: int) -> None:
        """So many bytes are held no longer."""
        with self._lock:
            self._free += size


class Body:
    """One body of ``expected`` bytes, or of any number (0): what waitress's receivers take for a buffer.

    The file is made with the first byte that needs it.
    """

    def __init__(self, bodies: Bodies, expected: int = 0) -> None:
        self._bodies = bodies
        self._memory = SMALL if expected <= SMALL else 0
        self._in_memory = True
        self._file: Any = BytesIO()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Keep what comes next. Raises OSError if there is no room for it on the disk either."""
        if self._in_memory and not (self._size + len(data) <= self._memory and self._bodies.take(len(data))):
            file = tempfile.TemporaryFile()  # noqa: SIM115 (see `close`)
            file.write(self._file.getbuffer())
            self._give_back()
            self._file = file
        self._file.write(data)
        self._size += len(data)

    def getfile(self) -> Any:
        """A file to read it from."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Nobody will read it any more; a second time does nothing."""
        self._file.close()
        self._give_back()

    def __len__(self) -> int:
        return self._size

    def __del__(self) -> None:
        # A client that leaves takes its half of a request along, and nobody closes that.
        self.close()

    def _give_back(self) -> None:
        if self._in_memory:
            self._in_memory = False
            self._bodies.give_back(self._size)


class Nowhere:
    """A body that nobody will read. It is only counted."""

    def __init__(self, size: int) -> None:
        self._size = size

    def append(self, data: bytes) -> None:
        """Let go of it."""
        self._size += len(data)

    def close(self) -> None:
        """Nothing is held."""

    def __len__(self) -> int:
        return self._size
