"""The event loop: waits until sockets are ready, and calls their handlers.

waitress asks every connection for its events in each iteration. Here sockets stay registered between iterations.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from .nonblocking import NonBlockingSocket
from .protocols import Watched

logger = logging.getLogger("wsgi_core.serving")

READ, WRITE, HANGUP = 1, 2, 4

# One iteration handles at most this many sockets, so that new connections do not wait long.
_MAX_EVENTS = 64


class _Poll:
    """poll(), for Linux and macOS. epoll is not used, because each change of the events would release the GIL."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._interests = [
            (select.POLLIN if interest & READ else 0) | (select.POLLOUT if interest & WRITE else 0)
            for interest in range(4)
        ]

    def watch(self, number: int, interest: int) -> None:
        self._poll.register(number, self._interests[interest])

    def unregister(self, number: int) -> None:
        self._poll.unregister(number)

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        return [(number, _from_poll(events)) for number, events in self._poll.poll(timeout * 1000)]


@lru_cache(maxsize=64)
def _from_poll(events: int) -> int:
    """Return the events of poll() as a combination of READ, WRITE and HANGUP."""
    return (
        (READ if events & select.POLLIN else 0)
        | (WRITE if events & select.POLLOUT else 0)
        | (HANGUP if events & ~(select.POLLIN | select.POLLOUT) else 0)
    )


class _Select:
    """select(), for Windows. At most 512 sockets can be watched. If a socket is watched with `interest` 0, a reset of
    the socket is not reported.
    """

    def __init__(self) -> None:
        self._read: set[int] = set()
        self._write: set[int] = set()

    def watch(self, number: int, interest: int) -> None:
        (self._read.add if interest & READ else self._read.discard)(number)
        (self._write.add if interest & WRITE else self._write.discard)(number)

    def unregister(self, number: int) -> None:
        self._read.discard(number)
        self._write.discard(number)

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        read, write, _ = select.select(self._read, self._write, (), timeout)
        ready = dict.fromkeys(read, READ)
        for number in write:
            ready[number] = ready.get(number, 0) | WRITE
        return list(ready.items())


class Poller:
    """The event loop of the I/O thread. `call` and `wake` are thread-safe.

    While the loop runs, all other methods must be called on the I/O thread.
    """

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._system = _Poll() if hasattr(select, "poll") else _Select()
        self._calls: deque[Callable[[], None]] = deque()
        self._first: set[int] = set()
        self._last = -1
        self._thread = 0
        self._woken = self._closed = False
        outer, inner = socket.socketpair()
        for sock in (outer, inner):
            sock.setblocking(False)
        self._outer, self._inner = (NonBlockingSocket(fileno=sock.detach()) for sock in (outer, inner))
        self._system.watch(self._inner.fileno(), READ)

    def handle_first(self, watched: Watched) -> None:
        """Give `watched` priority: if more than `_MAX_EVENTS` sockets are ready, `step` handles `watched` before other
        sockets.
        """
        self._first.add(watched.fileno())

    def watch(self, watched: Watched, interest: int) -> None:
        """Watch a socket for `interest`: READ, WRITE, both, or 0. Except on Windows, a hangup is always reported."""
        self._watched[watched.fileno()] = watched
        self._system.watch(watched.fileno(), interest)

    def unregister(self, watched: Watched) -> None:
        """Stop watching a socket. Its file descriptor must still be open."""
        self._first.discard(watched.fileno())
        if self._watched.pop(watched.fileno(), None) is not None:
            with contextlib.suppress(KeyError):
                self._system.unregister(watched.fileno())

    def call(self, function: Callable[[], None]) -> None:
        """Make the I/O thread call `function` soon. Thread-safe."""
        self._calls.append(function)
        if threading.get_ident() != self._thread:
            self.wake()

    def wake(self) -> None:
        """Make `step` stop waiting. Thread-safe."""
        if not self._woken and not self._closed:
            self._woken = True
            with contextlib.suppress(OSError):
                self._outer.send(b"x")

    def step(self, timeout: float) -> None:
        """Run the functions that were passed to `call`, wait at most `timeout` seconds, and handle ready sockets.

        At most `_MAX_EVENTS` sockets are handled.
        """
        self._thread = threading.get_ident()
        if self._calls:
            timeout = 0.0  # a call may queue a request, which the calling thread answers after this step
        self._make_calls()
        ready = self._system.wait(0.0 if self._calls else timeout)
        if len(ready) > _MAX_EVENTS:
            # Listening sockets come first. The other sockets take turns: the next after the last that was handled.
            ready.sort(key=lambda one: (one[0] not in self._first, one[0] <= self._last, one[0]))
            del ready[_MAX_EVENTS:]
            self._last = ready[-1][0]
        for number, events in ready:
            watched = self._watched.get(number)
            if watched is not None:
                self._handle(number, watched, events)
            elif number == self._inner.fileno():
                # A wake between these two lines sends no byte, but `step` makes all calls before it waits again.
                self._inner.recv(100)
                self._woken = False

    def close(self) -> None:
        """Close the poller's own sockets. The watched sockets stay open."""
        self._closed = True
        self._outer.close()
        self._inner.close()

    def _handle(self, number: int, watched: Watched, events: int) -> None:
        try:
            if events & READ:
                watched.handle_read()
            elif events & HANGUP:
                watched.handle_hangup()
            if events & WRITE and self._watched.get(number) is watched:
                watched.handle_write()
        except Exception:
            logger.exception("a socket is closed because of an unexpected error")
            watched.close()

    def _make_calls(self) -> None:
        for _ in range(len(self._calls)):
            function = self._calls.popleft()
            try:
                function()
            except Exception:
                logger.exception("a call on the I/O thread raised an exception")
