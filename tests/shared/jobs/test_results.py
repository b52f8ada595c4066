"""A file of outcomes has one complete line for each job, even if a killed process has left an incomplete line."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.shared.jobs import ResultsFile


@given(before=st.integers(0, 3), torn=st.binary(max_size=200_000).filter(lambda data: b"\n" not in data))
def test_a_line_without_its_end_is_removed(tmp_path_factory: pytest.TempPathFactory, before: int, torn: bytes):
    file = ResultsFile(tmp_path_factory.mktemp("results") / "results")
    for number in range(before):
        file.append(f"{number}", {"number": number}, file.end())
    with open(file.path, "ab") as end:
        end.write(torn)
    end_before = file.end()
    file.append("last", {"number": before}, end_before)
    assert file.end() == file.path.stat().st_size > end_before
    written = [json.loads(line) for line in file.path.read_bytes().splitlines()]
    assert [line["number"] for line in written] == list(range(before + 1))


def test_a_line_that_another_process_has_written_is_found(tmp_path: Path):
    file = ResultsFile(tmp_path / "results")
    assert file.end() == 0
    file.append("a", {"n": 1}, 0)
    before = file.end()
    with open(file.path, "ab") as torn:
        torn.write(b"x" * 500)
    ends = [before, file.end()]
    ResultsFile(file.path).append("b", {"says": '"sha256": "c"}'}, 0)
    for start in ends:
        file.append("b", {"n": 2}, start)
    file.append("a", {"n": 2}, 0)
    file.append("a", {"n": 2}, 10**9)
    file.append("c", {"n": 3}, file.end())
    assert [json.loads(line)["sha256"] for line in file.path.read_bytes().splitlines()] == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_path_that_is_not_utf_8_has_a_recorder_that_can_be_stored(tmp_path: Path):
    recorder = ResultsFile(tmp_path / "r\udcff").recorder
    assert recorder.encode().endswith(b"r\\udcff")


def test_threads_and_processes_append_whole_lines(tmp_path: Path):
    files = [ResultsFile(tmp_path / "results") for _ in range(4)]

    def append(file: ResultsFile, name: int) -> None:
        for number in range(20):
            file.append(f"{name}-{number}", {"x": "y" * 9000}, 0)

    threads = [threading.Thread(target=append, args=(file, name)) for name, file in enumerate(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [json.loads(line) for line in files[0].path.read_bytes().splitlines()]
    assert len({line["sha256"] for line in written}) == len(written) == 80
