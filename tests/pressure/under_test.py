"""A server of one's own, in a process of its own, to be load, stopped and looked at."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loadtests.load.closed_loop import Address

_URL = re.compile(r"http://([\d.]+):(\d+)")


class ServerUnderTest:
    """The server that ``python args`` starts: `address`, `process`, and the `lines` that it has written."""

    def __init__(self, *args: str, **environ: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **environ},
        )
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(60) or not self.address.port:
            raise RuntimeError("the server did not start:\n" + "".join(self.lines))
        self.ask("/healthz")  # some servers listen before they have loaded the application, and answer after

    address = Address("", 0)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if not self._listening.is_set() and (found := _URL.search(line)):
                self.address = Address(found[1], int(found[2]))
                self._listening.set()
        self._listening.set()

    def ask(self, path: str) -> tuple[int, float]:
        """The status of a GET on a connection of its own, and the ms it took."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status, (time.perf_counter() - began) * 1e3
        finally:
            connection.close()

    def end(self, seconds: float = 40) -> int:
        """Wait for the process's end, by force if need be; its exit code."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.returncode


def serve_command(**settings: Any) -> list[str]:
    """Python's arguments for `wsgi-core serve` with these settings, on a free port."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    return ["-m", "wsgi_core", "serve", "--port=0", *options]


def gunicorn_command(framework: str) -> list[str]:
    """Python's arguments for the service in one worker of gunicorn's that has threads, on a free port."""
    module = {"wsgi_core": "wsgi_core.service", "flask": "flask_equiv.service"}[framework]
    options = ["--bind=127.0.0.1:0", "--worker-class=gthread", "--threads=8"]
    return ["-m", "gunicorn", *options, f"{module}:create_app()"]


@contextmanager
def running(*args: str, **environ: str) -> Iterator[ServerUnderTest]:
    """The server that ``python args`` starts in such an environment; at the end it is told to stop."""
    server = ServerUnderTest(*args, **environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
        server.end()


class LoadClient:
    """A client process that presses a server."""

    def __init__(self, server: ServerUnderTest, message: bytes, orders: Mapping[str, Any]) -> None:
        host, port = server.address
        orders = {**orders, "host": host, "port": port, "message": message.decode("latin-1")}
        # A file: a pipe that nobody reads yet would fill, and the client never end.
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed in `close`)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pressure.load_client"],
            stdin=subprocess.PIPE,
            stdout=self._out,
            text=True,
            encoding="utf-8",
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(orders))
        self.process.stdin.close()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def result(self, seconds: float = 60) -> dict[str, Any]:
        """What it saw, once it has ended. RuntimeError if it failed, subprocess.TimeoutExpired if it does not end."""
        if self.process.wait(seconds) != 0:
            raise RuntimeError("the client failed")
        self._out.seek(0)
        seen: dict[str, Any] = json.load(self._out)
        return seen

    def close(self) -> None:
        if self.running:
            self.process.kill()
        self.process.wait()
        self._out.close()


@contextmanager
def load(server: ServerUnderTest, message: bytes, **orders: Any) -> Iterator[LoadClient]:
    """A client process that obeys these orders, see `tests.pressure.load_client`; at the end it is ended."""
    client = LoadClient(server, message, orders)
    try:
        yield client
    finally:
        client.close()
