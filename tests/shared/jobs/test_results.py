"""A file of outcomes has one complete line for each job, even if a killed process has left an incomplete line."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.shared.jobs import ResultsFile

NEVER, ALWAYS = 0.0, float("inf")


@given(before=st.integers(0, 3), torn=st.binary(max_size=200_000).filter(lambda data: b"\n" not in data))
def test_a_line_without_its_end_is_removed(tmp_path_factory: pytest.TempPathFactory, before: int, torn: bytes):
    file = ResultsFile(tmp_path_factory.mktemp("results") / "results")
    for number in range(before):
        file.append(f"{number}", {"number": number}, ALWAYS)
    with open(file.path, "ab") as end:
        end.write(torn)
    file.append("last", {"number": before}, NEVER)
    written = [json.loads(line) for line in file.path.read_bytes().splitlines()]
    assert [line["number"] for line in written] == list(range(before + 1))


def test_a_job_is_found_again_when_another_process_may_have_recorded_it(tmp_path: Path):
    file = ResultsFile(tmp_path / "results")
    file.append("a", {"n": 1}, ALWAYS)
    file.append("a", {"n": 2}, NEVER)
    file.append("b", {"says": '"sha256": "c"}'}, NEVER)
    file.append("c", {"n": 3}, time.time() + 60)
    assert [json.loads(line)["sha256"] for line in file.path.read_bytes().splitlines()] == ["a", "b", "c"]


def test_threads_and_processes_append_whole_lines(tmp_path: Path):
    files = [ResultsFile(tmp_path / "results") for _ in range(4)]

    def append(file: ResultsFile, name: int) -> None:
        for number in range(20):
            file.append(f"{name}-{number}", {"x": "y" * 9000}, NEVER)

    threads = [threading.Thread(target=append, args=(file, name)) for name, file in enumerate(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [json.loads(line) for line in files[0].path.read_bytes().splitlines()]
    assert len({line["sha256"] for line in written}) == len(written) == 80
