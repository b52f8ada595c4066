"""Start a server in a separate process, put it under load, and watch it."""

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
    """The server that ``python args`` starts: its `address`, its `process`, and the `lines` of its output."""

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
        self.ask("/healthz")  # some servers listen before they have loaded the application

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
        """Send a GET on a new connection. Return the status code and the time in ms."""
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
        """Wait at most `seconds` for the process to end, and then kill it. Return its exit code."""
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
    """Return Python's arguments for `wsgi-core serve` with these settings, on a free port."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    return ["-m", "wsgi_core", "serve", "--port=0", *options]


def gunicorn_command(framework: str) -> list[str]:
    """Return Python's arguments for the service on gunicorn, in one worker with threads, on a free port."""
    module = {"wsgi_core": "wsgi_core.service", "flask": "flask_equiv.service"}[framework]
    options = ["--bind=127.0.0.1:0", "--worker-class=gthread", "--threads=8"]
    return ["-m", "gunicorn", *options, f"{module}:create_app()"]


@contextmanager
def running(*args: str, **environ: str) -> Iterator[ServerUnderTest]:
    """Start a server with ``python args`` and these environment variables, and terminate it at the end."""
    server = ServerUnderTest(*args, **environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
        server.end()


class LoadClient:
    """A process that runs `tests.pressure.load_client`."""

    def __init__(self, server: ServerUnderTest, message: bytes, job: Mapping[str, Any]) -> None:
        host, port = server.address
        job = {**job, "host": host, "port": port, "message": message.decode("latin-1")}
        # Not a pipe: a pipe is read only at the end, so it would fill up and block the client.
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed in `close`)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pressure.load_client"],
            stdin=subprocess.PIPE,
            stdout=self._out,
            text=True,
            encoding="utf-8",
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job))
        self.process.stdin.close()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def result(self, seconds: float = 60) -> dict[str, Any]:
        """Wait for the client to end and return its results.

        Raises RuntimeError if the client failed, and subprocess.TimeoutExpired if it takes longer than `seconds`.
        """
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
def load(server: ServerUnderTest, message: bytes, **job: Any) -> Iterator[LoadClient]:
    """Start a client process with this job (see `tests.pressure.load_client`), and kill it at the end."""
    client = LoadClient(server, message, job)
    try:
        yield client
    finally:
        client.close()
