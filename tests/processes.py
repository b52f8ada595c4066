"""Servers in processes of their own, on free ports, that never outlive the test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

import wsgi_core

ROOT = Path(wsgi_core.__file__).resolve().parent.parent

_URL = re.compile(r"http://(127\.0\.0\.1):(\d+)")


class Server:
    """``python args`` in a process that prints the URL it listens on; in a ``with`` block, until its end."""

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
        # Whatever it prints must be taken, or one day it blocks on a full pipe.
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
        """Where it listens."""
        return self.host, int(self.port)

    def ready(self, timeout: float = 120) -> Self:
        """Wait until the URL was printed; AssertionError with all that was printed if it never is."""
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
        """End the process, by force if it does not listen; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
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
    """This process's environment, with the project to be found and the output unbuffered."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def run(*args: str, cwd: str | Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python args`` to its end."""
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
