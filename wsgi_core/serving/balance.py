"""Balances connections between server processes that accept from one listening socket.

The operating system wakes all processes for a new connection, and the fastest process accepts the connection. The
fastest is often a process that is already awake because it has many connections. So a process with too many connections
waits for a moment, so that another process can accept first.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

_NOT_SERVING = 2**30
"""The count of a process that does not accept connections. No process has as many connections."""


class Balance:
    """The connection count of each server process, in memory that the processes share.

    A process writes its own count. The parent writes the count of a process that has exited. No lock is needed, because
    only one process at a time writes a count. An outdated count only makes the balance less even.
    """

    def __init__(self, processes: int) -> None:
        self._counts: Any = multiprocessing.get_context("spawn").RawArray("i", [_NOT_SERVING] * processes)

    def connections_of(self, number: int) -> ConnectionCount:
        """Return the `ConnectionCount` of process `number`. While that process runs, only it may change the count."""
        return ConnectionCount(self._counts, number)


class ConnectionCount:
    """The connection count of one process. The other processes can read it."""

    def __init__(self, counts: Any, number: int) -> None:
        self._counts = counts
        self._number = number

    def set(self, connections: int) -> None:
        """Set the count."""
        self._counts[self._number] = connections

    def stop(self) -> None:
        """Record that the process accepts no more connections."""
        self._counts[self._number] = _NOT_SERVING

    @property
    def too_high(self) -> bool:
        """Whether another process should accept the next connection, because it has far fewer connections."""
        least = min(self._counts)
        return bool(self._counts[self._number] > least + 1 + least // 16)
