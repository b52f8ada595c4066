"""Balances connections between server processes that accept from one listening socket.

The operating system wakes all processes for a new connection, and the fastest process accepts the connection. The
fastest is often a process that is already awake because it has many connections. So a process with too many connections
waits for a moment, in which another process can accept first.
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

_NOT_SERVING = sys.maxsize >> 33
"""The count of a process that does not accept: higher than any other count (2**30 - 1)."""


class Balance:
    """The number of connections of each server process, in memory that the processes share.

    No lock is needed: each process writes only its own number, and an outdated number only makes the balance worse. The
    parent writes the number of a process that has exited.
    """

    def __init__(self, processes: int) -> None:
        self._counts: Any = multiprocessing.get_context("spawn").RawArray("i", [_NOT_SERVING] * processes)

    def connections_of(self, number: int) -> ConnectionCount:
        """Return the `ConnectionCount` of a process. While that process runs, no other process may change the count."""
        return ConnectionCount(self._counts, number)


class ConnectionCount:
    """The number of connections of one process, which can be compared with the numbers of the other processes."""

    def __init__(self, counts: Any, number: int) -> None:
        self._counts = counts
        self._number = number

    def set(self, connections: int) -> None:
        """Tell the other processes how many connections this process has."""
        self._counts[self._number] = connections

    def stop(self) -> None:
        """Tell the other processes that this process accepts no more connections."""
        self._counts[self._number] = _NOT_SERVING

    @property
    def too_high(self) -> bool:
        """Whether another process should accept the next connection."""
        least = min(self._counts)
        return bool(self._counts[self._number] > least + 1 + least // 16)
