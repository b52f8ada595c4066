"""Where a body is kept until its request is whole: in memory while all of them together fit, else in a file."""

from __future__ import annotations

import tempfile
import threading
from io import BytesIO
from typing import Any


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
    """One body: what waitress's receivers take for a buffer."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._pieces: list[bytes] = []
        self._file: Any = None
        self._size = self._held = 0

    def append(self, data: bytes) -> None:
        """Keep what comes next. Raises OSError if there is no room for it on the disk either."""
        self._size += len(data)
        if self._file is None and self._bodies.take(len(data)):
            self._held += len(data)
            self._pieces.append(data)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
            self._file.writelines(self._pieces)
            self._let_go()
        self._file.write(data)

    def getfile(self) -> Any:
        """A file to read it from."""
        if self._file is None:
            return BytesIO(b"".join(self._pieces))
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Nobody will read it any more; a second time does nothing."""
        if self._file is not None:
            self._file.close()
        self._let_go()

    def __len__(self) -> int:
        return self._size

    def _let_go(self) -> None:
        self._pieces = []
        self._bodies.give_back(self._held)
        self._held = 0


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
