"""Run servers in separate processes on free ports. A server ends with its ``with`` block."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

import wsgi_core

ROOT = Path(wsgi_core.__file__).resolve().parent.parent

_URL = re.compile(r"http://(127\.0\.0\.1):(\d+)")


class Server:
    """A process ``python args`` that prints the URL on which it listens. A ``with`` block stops it at its end."""

    def __init__(self, *args: str, cwd: Path | None = None, **environ: str) -> None:
        self.host = self.port = ""
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment(), **environ},
            cwd=cwd,
            text=True,
            encoding="utf-8",
        )
        self._queue: Queue[str | None] = Queue()
        # The output must be read, because otherwise the process may block on a full pipe.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    @property
    def address(self) -> tuple[str, int]:
        """The address on which the server listens."""
        return self.host, int(self.port)

    def ready(self, timeout: float = 120) -> Self:
        """Wait until the process has printed its URL. Raises AssertionError with the output if it does not."""
        while True:
            try:
                line = self._queue.get(timeout=timeout)
            except Empty:
                line = None
            if line is None:
                raise AssertionError("no server:\n" + "".join(self.lines))
            if found := _URL.search(line):
                self.host, self.port = found.groups()
                return self

    def stop(self) -> int:
        """Terminate the process, and kill it and its children if it does not end within 10 seconds.

        Return its exit code.
        """
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            import psutil  # not in every environment that imports this module

            with suppress(psutil.Error):  # such as a process that has just ended
                for child in psutil.Process(self.process.pid).children(recursive=True):
                    child.kill()
            self.process.kill()
            self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        if not self._reader.is_alive():  # it reads on if a child of the process still runs, and close() would wait
            self.process.stdout.close()
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()


def environment() -> dict[str, str]:
    """Return this process' environment variables, with the project on PYTHONPATH, unbuffered output, and UTF-8 mode."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def free_ports(count: int = 1) -> int:
    """Return the first of ``count`` consecutive free ports, from a range that systems do not use for clients."""
    for _ in range(50):
        port = 20_000 + secrets.randbelow(10_000)
        with ExitStack() as stack:
            try:
                for number in range(port, port + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports in a row")


def run(*args: str, cwd: str | Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python args`` until it ends, at most 60 seconds."""
    return subprocess.run(
        [sys.executable, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        cwd=cwd,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
