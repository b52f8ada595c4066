"""A load generator that costs little: for the runs in which Locust would be the one that is measured.

A closed loop over a few kept connections in one thread: bytes prepared beforehand, one ``send`` and as a rule one
``recv`` for a request. Status and length of each answer are checked. Run as a process of its own:
``python -m loadtests.lean`` with the window's JSON on standard input.
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
from typing import Any

from loadtests.window import Window

OK = b"HTTP/1.1 200 OK\r\n"


class BadAnswer(Exception):
    """An answer that is not a complete 200 with a length."""


class Connection:
    """One kept connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, message: bytes) -> None:
        """Send a whole request."""
        self.sent_at = time.perf_counter()
        self.received = b""
        self.socket.sendall(message)

    def answered(self) -> bool:
        """Take in what has come; whether the answer is complete. Raises ``BadAnswer``."""
        data = self.socket.recv(65536)
        if not data:
            raise BadAnswer("the server closed the connection")
        self.received += data
        return is_complete(self.received)


def is_complete(received: bytes) -> bool:
    """Whether ``received`` holds a whole answer; raises ``BadAnswer`` for one that is not a 200 with a length."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    if not head.startswith(OK):
        raise BadAnswer(head.partition(b"\r\n")[0].decode("latin-1"))
    place = head.find(b"Content-Length: ")
    if place < 0:
        raise BadAnswer("no Content-Length")
    return len(body) >= int(head[place + 16 :].partition(b"\r")[0])


def requests_of(bodies: list[str], port: int) -> Iterator[bytes]:
    """The bytes of the requests, round and round."""
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    return itertools.cycle([f"{head}{len(body)}\r\n\r\n{body}".encode() for body in bodies])


def drive(window: Window, port: int, messages: Iterator[bytes], users: int, warm_up: float, seconds: float) -> Any:
    """Keep ``users`` requests under way for the warm-up and the window; returns what the window counted."""
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as connections:
        for _ in range(users):
            connection = Connection(port)
            connections.enter_context(connection.socket)
            connection.send(next(messages))
            selector.register(connection.socket, selectors.EVENT_READ, connection)
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
                window.count((now - connection.sent_at) * 1000, None)
                connection.send(next(messages))


def main() -> int:
    """Exit code 0 with the window on standard output, 1 with the bad answer on standard error."""
    wanted = json.load(sys.stdin)
    messages = requests_of(wanted["bodies"], wanted["port"])
    window = Window(wanted["server_pid"])
    try:
        measured = drive(window, wanted["port"], messages, wanted["users"], wanted["warm_up"], wanted["seconds"])
    except (BadAnswer, OSError) as error:
        print(f"a request failed: {error}", file=sys.stderr)
        return 1
    json.dump(measured, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
