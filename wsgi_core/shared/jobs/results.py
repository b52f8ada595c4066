"""The results file: JSON Lines with the outcomes of jobs, and at most one line for each job."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock


class ResultsFile:
    """A JSON Lines file to which several processes of one machine append. A lock file serializes their writes.

    If a process is killed, the file may end with an incomplete line. `append` removes the incomplete line. A process
    may also be killed after it has written a line but before it has removed the job. `append` finds that line, and does
    not write a second line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorder = f"{socket.gethostname()}:{path.resolve()}"

    def append(self, key: str, outcome: Mapping[str, object], exclusive_until: float) -> None:
        """Append the outcome of the job `key` unless the file contains it, and call fsync().

        Until the Unix time `exclusive_until`, no other process can have written the outcome, so the file is not
        searched. Raises OSError if the file cannot be read or written, and filelock.Timeout, a subclass of OSError, if
        the lock is not free within 30 seconds.
        """
        line = json.dumps({**outcome, "sha256": key}).encode() + b"\n"
        with FileLock(f"{self.path}.lock", timeout=30), open(self.path, "a+b") as file:
            _cut_unfinished_line(file.fileno(), self.path)
            if time.time() >= exclusive_until and self._has(key):
                return
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _has(self, key: str) -> bool:
        end = f'"sha256": "{key}"}}\n'.encode()
        with open(self.path, "rb") as file:
            return any(line.endswith(end) for line in file)


def _cut_unfinished_line(descriptor: int, path: Path) -> None:
    """Truncate the file after its last line break."""
    size = os.fstat(descriptor).st_size
    with open(path, "rb") as file:
        position = size
        while position > 0:
            start = max(0, position - 65536)
            file.seek(start)
            found = file.read(position - start).rfind(b"\n")
            if found >= 0:
                position = start + found + 1
                break
            position = start
    if position < size:
        os.truncate(descriptor, position)
