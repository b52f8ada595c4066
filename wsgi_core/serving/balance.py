"""Balances connections between server processes that accept from one listening socket.

The process that accepts first is often a busy process, because it is already awake. So a process with too many
connections waits for a moment, and another process can accept first.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

_NOT_SERVING = 2**30
"""The count of a process that does not accept connections. It is larger than any real count."""


class Balance:
    """The number of connections of each server process, in shared memory.

    No lock is needed. Only one process at a time writes a count, and an outdated count only makes the balance less
    even.
    """

    def __init__(self, processes: int) -> None:
        self._counts: Any = multiprocessing.get_context("spawn").RawArray("i", [_NOT_SERVING] * processes)

    def connections_of(self, number: int) -> ConnectionCount:
        """Return the count of process `number`. While that process runs, no other process may change the count."""
        return ConnectionCount(self._counts, number)


class ConnectionCount:
    """The number of connections of one process. Other processes can read it."""

    def __init__(self, counts: Any, number: int) -> None:
        self._counts = counts
        self._number = number

    def set(self, connections: int) -> None:
        self._counts[self._number] = connections

    def stop(self) -> None:
        """Record that the process accepts no more connections."""
        self._counts[self._number] = _NOT_SERVING

    @property
    def too_high(self) -> bool:
        """Whether this process has too many connections, compared with the process with the fewest."""
        least = min(self._counts)
        return bool(self._counts[self._number] > least + 1 + least // 16)
