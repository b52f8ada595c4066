"""The results file: JSON Lines with the outcomes of jobs, and at most one line for each job."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO


class ResultsFile:
    """A JSON Lines file to which several processes of one machine append. A lock file serializes their writes.

    If a process is killed, the file may end with an incomplete line, which the next `append` removes. If a job runs
    twice, the file still gets only one line for the job. `recorder` names the file by its host and path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        recorder = f"{socket.gethostname()}:{path.resolve()}"
        self.recorder = recorder.encode("utf-8", "backslashreplace").decode()

    def end(self) -> int:
        """Return the position after the last complete line, or 0 if there is no complete line.

        `append` does not change the bytes before this position.
        """
        try:
            with open(self.path, "rb") as file:
                return _end_of_last_line(file)
        except FileNotFoundError:
            return 0

    def append(self, key: str, outcome: Mapping[str, object], search_from: int) -> None:
        """Append the outcome of the job `key`, and call fsync(). Do nothing if the file already has a line for the job.

        The search for this line begins at the position `search_from`. If the file is shorter than `search_from`, the
        whole file is searched. Raises OSError if the file cannot be read or written, or if the lock is not free within
        30 seconds.
        """
        # PERF: filelock adds an audit hook on Python 3.12 and newer, so a service without jobs does not import it.
        from filelock import FileLock

        line = json.dumps({**outcome, "sha256": key}).encode() + b"\n"
        # Most lines are searched without the lock, because the search of a large file takes long.
        searched = self.end()
        if search_from < searched:
            if self._has(key, search_from):
                return
            search_from = searched
        with FileLock(f"{self.path}.lock", timeout=30), open(self.path, "a+b") as file:
            end = _end_of_last_line(file)
            if end < os.fstat(file.fileno()).st_size:
                os.truncate(file.fileno(), end)
            if self._has(key, search_from if search_from <= end else 0):
                return
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _has(self, key: str, start: int) -> bool:
        end = f'"sha256": "{key}"}}\n'.encode()
        with open(self.path, "rb") as file:
            file.seek(start)
            return any(line.endswith(end) for line in file)


def _end_of_last_line(file: BinaryIO) -> int:
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        start = max(0, position - 65536)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
