"""A server in a thread of the test's process, and an application that responds when the test allows it."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any

import pytest

from wsgi_core.serving import Server
from wsgi_core.serving import server as server_module
from wsgi_core.serving.application import MONITORING, STREAM_PATH
from wsgi_core.serving.command import bind
from wsgi_core.shared.access import HEALTH
from wsgi_core.shared.readiness import Readiness
from wsgi_core.shared.settings import Settings

PATIENCE = 20
"""Seconds after which a waiting test fails."""


class Gate:
    """A WSGI application: /work waits for `open()`, and /stream sends a chunk before and a chunk after waiting for it.

    /boom raises an exception. Other paths respond at once.
    """

    def __init__(self) -> None:
        self.extensions: dict[str, Any] = {"readiness": Readiness()}
        self.opened = threading.Event()
        self.begun = threading.Semaphore(0)
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.seen.append(environ)
        path = environ["PATH_INFO"]
        if path == "/stream":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return self.stream()
        body = environ["wsgi.input"].read()
        if path == "/work":
            self.begun.release()
            assert self.opened.wait(PATIENCE)
        if path == "/boom":
            raise RuntimeError("boom")
        answer = json.dumps({"path": path, "length": len(body)}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]

    def stream(self) -> Iterator[bytes]:
        yield b"first"
        self.begun.release()
        assert self.opened.wait(PATIENCE)
        yield b"last"

    def open(self) -> None:
        """Let all waiting and all later requests continue."""
        self.opened.set()

    def wait_begun(self, count: int = 1) -> None:
        """Wait until ``count`` more requests have begun to wait."""
        for _ in range(count):
            assert self.begun.acquire(timeout=PATIENCE)


class Running:
    """A server that runs in a thread. `result` is the return value of its `run()`."""

    def __init__(self, app: Any, told: dict[str, Any], **settings: Any) -> None:
        self.app = app
        self.settings = Settings(**{"threads": 2, "max_waiting": 2, "max_wait": 60, **settings})
        told = {
            "monitoring": MONITORING,
            "health": HEALTH,
            "body_limits": {STREAM_PATH: self.settings.stream_max_content_length},
            **told,
        }
        self.server = Server(app, bind("127.0.0.1", 0), self.settings, **told)
        self.address = ("127.0.0.1", self.server.port)
        self.result: bool | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.result = self.server.run()

    def change(self, **settings: Any) -> None:
        """Change settings of the running server, so that a short timeout begins only after a test has prepared it."""
        self.settings = self.settings.model_copy(update=settings)
        self.server.site.settings = self.server.site.dispatcher._settings = self.settings

    def connect(self) -> Client:
        """Open a new connection."""
        return Client(self.address)

    def join(self) -> bool | None:
        """Wait until the server has ended. Return the result of its `run()`."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.result


class Client:
    """A client with one connection, which sends any bytes and reads one response after another."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str, **headers: str) -> None:
        """Send a GET request without waiting for the response."""
        self.send(request("GET", path, **headers))

    def answer(self, method: str = "GET") -> Reply:
        """Read the next response. Raises ConnectionError or an exception of http.client if there is no response."""
        response = HTTPResponse(Rest(self.file), method=method)  # type: ignore[arg-type]
        response.begin()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def ask(self, path: str, **headers: str) -> Reply:
        """Send a GET request, and return the response."""
        self.get(path, **headers)
        return self.answer()

    def ended(self) -> bool:
        """Wait until the server closes the connection. Return whether it closed without a reset and more data."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return False

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        # struct linger has two ints, and on Windows two shorts.
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()


class Rest:
    """An object that HTTPResponse accepts as its socket. It reads one response from ``file``, and leaves it open."""

    def __init__(self, file: BufferedReader) -> None:
        self.read, self.readline, self.readinto, self.flush = file.read, file.readline, file.readinto, file.flush

    def makefile(self, mode: str) -> Rest:
        return self

    def close(self) -> None:
        """Do nothing, because the next response is read from the same file."""


class Reply:
    """A response: the status, the headers by their names in lower case, and the body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self) -> str:
        """The message of a JSON error response."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        text: str = json.loads(self.body)["error"]
        return text


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request. In the names of headers, _ stands for -."""
    fields = {"Host": "test", **({"Content-Length": str(len(body))} if body else {})}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()`` is true."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.001)


@contextmanager
def running(app: Any = None, told: dict[str, Any] | None = None, **settings: Any) -> Iterator[Running]:
    """Run a server with ``app``, by default a new `Gate`. At the end, close every connection and stop the server.

    ``told`` has further arguments of `Server`.
    """
    gate = Gate()
    run = Running(app or gate, told or {}, **settings)
    opened: list[Client] = []
    connect = run.connect

    def remembered() -> Client:
        opened.append(connect())
        return opened[-1]

    run.connect = remembered  # type: ignore[method-assign]
    try:
        yield run
    finally:
        getattr(run.app, "open", lambda: None)()
        for client in opened:
            client.close()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server_module, "BACKLOG_GRACE_SECONDS", 0.0)  # no client is still connecting
            run.server.stop()
            run.join()
