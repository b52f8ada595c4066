"""A load generator that needs little CPU, for runs in which Locust would be the bottleneck.

It is a closed loop: each of a few connections sends its next request when the response to the last request is complete.
All connections are in one thread. If the server closes a connection, a new connection replaces it. A *window* is the
period of measurement after a warm-up.

Run this module as a separate process, with the job as JSON on standard input. ``openloop.py`` also uses the class
``Connection``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from loadtests.instrument.request import Request
from loadtests.load.window import Window

END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
CHUNKED = b"\r\ntransfer-encoding: chunked"
CLOSES = b"\r\nconnection: close"
KEPT = b"\r\nconnection: keep-alive"
BODILESS = (b"204", b"304")


class BadResponse(Exception):
    """A response is missing, incomplete or too late, or its status is not the expected status."""


class Address(NamedTuple):
    host: str
    port: int


class Message(NamedTuple):
    """The bytes of a request. ``status`` has the digits with which the response's status code must begin."""

    data: bytes
    status: bytes = b"2"
    is_head: bool = False


class Connection:
    """A connection with at most one request in flight, registered with ``selector``."""

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

    def send(self, message: Message, since: float) -> None:
        """Send a complete request. Its latency counts from ``since``, a time of ``perf_counter``.

        If the connection ended with the last response, connect again first.
        """
        self.message, self.since, self.received = message, since, b""
        if not self.is_open:
            self._connect()
        self.socket.sendall(message.data)

    def receive(self) -> bool:
        """Receive the bytes that have arrived. Return whether the response is complete.

        Raises ``BadResponse`` if the status is not the expected status, or if the server closed the connection too
        early. Raises OSError if the connection was reset.
        """
        data = self.socket.recv(65536)
        self.received += data
        if not is_complete(self.received, self.message, ended=not data):
            return False
        if not data or closes(self.received):
            self.selector.unregister(self.socket)
            self.socket.close()
            self.is_open = False
        return True


def is_complete(received: bytes, message: Message, ended: bool = False) -> bool:
    """Return whether ``received`` is a complete response. ``ended`` says whether the server has closed the connection.

    Raises ``BadResponse`` if the status is not the expected status, or if the connection was closed too early.
    Responses with a status 1xx are skipped.
    """
    head, end, body = received.partition(END)
    if end and head[9:10] == b"1":
        return is_complete(body, message, ended)
    if end and not head[9:12].startswith(message.status):
        raise BadResponse(head.partition(b"\r\n")[0].decode("latin-1"))
    complete = bool(end) and _has_body(head.lower(), body, message, ended)
    if ended and not complete:
        raise BadResponse("the server closed the connection")
    return complete


def _has_body(head: bytes, body: bytes, message: Message, ended: bool) -> bool:
    """Return whether the body of a response is complete (RFC 9112, section 6.3)."""
    if message.is_head or head[9:12] in BODILESS:
        return True
    if CHUNKED in head:
        return _ends_chunks(body)
    place = head.find(LENGTH)
    if place >= 0:
        return len(body) >= int(head[place + len(LENGTH) :].partition(b"\r")[0])
    return ended


def _ends_chunks(body: bytes) -> bool:
    """Return whether the last chunk and the trailer section have arrived."""
    place = 0
    while (line := body.find(b"\r\n", place)) >= 0:
        size = int(body[place:line].partition(b";")[0], 16)
        if size == 0:
            return body.startswith(b"\r\n", line + 2) or END in body[line:]
        place = line + 2 + size + 2
    return False


def closes(received: bytes) -> bool:
    """Return whether the server closes the connection after this response."""
    head = received.partition(END)[0].lower()
    return CLOSES in head or (head.startswith(b"http/1.0") and KEPT not in head)


def messages_of(requests: Sequence[Request], address: Address) -> Iterator[Message]:
    """Yield the requests as bytes to send. After the last request, begin again with the first."""
    host = f"{address.host}:{address.port}"
    return itertools.cycle(
        [Message(one.message(host), b"%d" % (one.status or 2), one.method == "HEAD") for one in requests]
    )


def drive(job: dict[str, Any], address: Address, messages: Iterator[Message]) -> dict[str, Any]:
    """Keep a request in flight on each connection during the warm-up and the window. Return the window's counts."""
    window = Window(job["server_pid"])
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as connections:
        for _ in range(job["users"]):
            connection = connections.enter_context(Connection(address, selector))
            connection.send(next(messages), time.perf_counter())
        _drive_until(selector, window, messages, time.perf_counter() + job["warm_up"])
        window.open()
        _drive_until(selector, window, messages, time.perf_counter() + job["seconds"])
        return window.close()


def _drive_until(selector: selectors.BaseSelector, window: Window, messages: Iterator[Message], ends: float) -> None:
    while time.perf_counter() < ends:
        for key, _ in selector.select(timeout=1.0):
            connection: Connection = key.data
            if connection.receive():
                now = time.perf_counter()
                window.count((now - connection.since) * 1000, None)
                connection.send(next(messages), now)


def run(measure: Callable[[dict[str, Any], Address, Iterator[Message]], Any]) -> int:
    """Read a job from standard input, call ``measure`` with the job, and write the result to standard output.

    Return the exit code: 0, or 1 if a request failed.
    """
    job = json.load(sys.stdin)
    address = Address(job["host"], job["port"])
    messages = messages_of([Request.from_json(values) for values in job["requests"]], address)
    try:
        measured = measure(job, address, messages)
    except (BadResponse, OSError) as error:
        print(f"a request failed: {error}", file=sys.stderr)
        return 1
    json.dump(measured, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(run(drive))
