"""A server in a thread of this process, around an application that answers when the test says so."""

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
"""Seconds after which a test gives up waiting for what should come at once."""


class Gate:
    """A WSGI application: /work waits until `open`, /stream sends a piece before and one after, the rest is quick."""

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
        """Let everybody through, from now on."""
        self.opened.set()

    def wait_begun(self, count: int = 1) -> None:
        """Wait until so many more requests are inside."""
        for _ in range(count):
            assert self.begun.acquire(timeout=PATIENCE)


class Running:
    """A server that runs in a thread. `result`: what `run` returned."""

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

    def connect(self) -> Client:
        """A new connection."""
        return Client(self.address)

    def join(self) -> bool | None:
        """Wait for the end; what `run` returned."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.result


class Client:
    """A connection that sends what it is told, and reads one answer after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str, **headers: str) -> None:
        """Ask; the answer is not awaited."""
        self.send(request("GET", path, **headers))

    def answer(self, method: str = "GET") -> Reply:
        """The next answer. Raises ConnectionError or http.client's exceptions if there is none."""
        response = HTTPResponse(Rest(self.file), method=method)  # type: ignore[arg-type]
        response.begin()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def ask(self, path: str, **headers: str) -> Reply:
        """Ask and await the answer."""
        self.get(path, **headers)
        return self.answer()

    def ended(self) -> bool:
        """Wait until the server closes; whether it closed in order, with nothing more sent."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return False

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def reset(self) -> None:
        """Leave without a farewell: the server is told by a reset that the client is gone."""
        # struct linger: two ints, on Windows two shorts.
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()


class Rest:
    """What is still to be read on a connection, in a form that an HTTPResponse reads its part of and leaves open."""

    def __init__(self, file: BufferedReader) -> None:
        self.read, self.readline, self.readinto, self.flush = file.read, file.readline, file.readinto, file.flush

    def makefile(self, mode: str) -> Rest:
        return self

    def close(self) -> None:
        """The next answer comes from here too."""


class Reply:
    """An answer: status, headers by small names, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self) -> str:
        """What an error says."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        text: str = json.loads(self.body)["error"]
        return text


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; in the names of headers, _ stands for -."""
    fields = {"Host": "test", **({"Content-Length": str(len(body))} if body else {})}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.001)


@contextmanager
def running(app: Any = None, told: dict[str, Any] | None = None, **settings: Any) -> Iterator[Running]:
    """A server around ``app``, by default a new `Gate`; at the end it is stopped, and every connection closed.

    ``told``: arguments of `Server`.
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
            patch.setattr(server_module, "BACKLOG_GRACE_SECONDS", 0.0)  # no client is about to connect
            run.server.stop()
            run.join()
