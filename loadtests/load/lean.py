"""A load generator that costs little: for the runs in which Locust would be the one that is measured.

A closed loop over a few connections in one thread: bytes prepared beforehand, one ``send`` and as a rule one ``recv``
for a request. A connection is kept where the server keeps it, and made anew where it does not. Status and length of
each answer are checked. Run as a process of its own: ``python -m loadtests.load.lean`` with the window's JSON on
standard input; ``openloop.py`` has the same connections in an open loop.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from loadtests.load.window import Window

OK = b" 200 "
LENGTH = b"\r\ncontent-length:"
CLOSES = b"\r\nconnection: close"


class BadAnswer(Exception):
    """An answer that is not a complete 200 with a length."""


class Address(NamedTuple):
    """Where the server listens."""

    host: str
    port: int


class Connection:
    """One connection with at most one request under way, watched by ``selector``."""

    def __init__(self, address: Address, selector: selectors.BaseSelector) -> None:
        self.address, self.selector = address, selector
        self.since = 0.0
        self.received = b""
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def _connect(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(self.socket, selectors.EVENT_READ, self)
        self.is_open = True

    def send(self, message: bytes, since: float) -> None:
        """Send a whole request; its latency counts from ``since``."""
        self.since = since
        self.received = b""
        if not self.is_open:
            self._connect()
        self.socket.sendall(message)

    def answered(self) -> bool:
        """Take in what has come; whether the answer is complete. Raises ``BadAnswer``."""
        data = self.socket.recv(65536)
        if not data:
            raise BadAnswer("the server closed the connection")
        self.received += data
        if not is_complete(self.received):
            return False
        if closes(self.received):
            self.selector.unregister(self.socket)
            self.socket.close()
            self.is_open = False
        return True


def is_complete(received: bytes) -> bool:
    """Whether ``received`` holds a whole answer; raises ``BadAnswer`` for one that is not a 200 with a length."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    if head[8:13] != OK:
        raise BadAnswer(head.partition(b"\r\n")[0].decode("latin-1"))
    head = head.lower()
    place = head.find(LENGTH)
    if place < 0:
        raise BadAnswer("no Content-Length")
    return len(body) >= int(head[place + len(LENGTH) :].partition(b"\r")[0])


def closes(received: bytes) -> bool:
    """Whether the server ends the connection after this answer."""
    head = received.partition(b"\r\n\r\n")[0].lower()
    return CLOSES in head or head.startswith(b"http/1.0")


def requests_of(bodies: list[str], address: Address) -> Iterator[bytes]:
    """The bytes of the requests, round and round."""
    host = f"{address.host}:{address.port}"
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
    return itertools.cycle([f"{head}{len(body)}\r\n\r\n{body}".encode() for body in bodies])


def drive(
    window: Window, address: Address, messages: Iterator[bytes], users: int, warm_up: float, seconds: float
) -> Any:
    """Keep ``users`` requests under way for the warm-up and the window; returns what the window counted."""
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as connections:
        for _ in range(users):
            connection = connections.enter_context(Connection(address, selector))
            connection.send(next(messages), time.perf_counter())
        _turn_over(selector, window, messages, time.perf_counter() + warm_up)
        window.open()
        _turn_over(selector, window, messages, time.perf_counter() + seconds)
        return window.close()


def _turn_over(selector: selectors.BaseSelector, window: Window, messages: Iterator[bytes], ends: float) -> None:
    while time.perf_counter() < ends:
        for key, _ in selector.select(timeout=1.0):
            connection: Connection = key.data
            if connection.answered():
                now = time.perf_counter()
                window.count((now - connection.since) * 1000, None)
                connection.send(next(messages), now)


def main() -> int:
    """Exit code 0 with the window on standard output, 1 with the bad answer on standard error."""
    wanted = json.load(sys.stdin)
    address = Address(wanted["host"], wanted["port"])
    messages = requests_of(wanted["bodies"], address)
    window = Window(wanted["server_pid"])
    try:
        measured = drive(window, address, messages, wanted["users"], wanted["warm_up"], wanted["seconds"])
    except (BadAnswer, OSError) as error:
        print(f"a request failed: {error}", file=sys.stderr)
        return 1
    json.dump(measured, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
