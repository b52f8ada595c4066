"""A learner's program is loaded from its file only, and each mistake is reported in a sentence with the line number."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.commands.learn.learner import program, started
from wsgi_core.commands.learn.program import NotYet, Program, expect_answer, importing_from


def test_a_program_that_fails_is_explained(tmp_path: Path):
    file = started(0, tmp_path)
    file.write_text("\nimport nothing_of_this_name", encoding="utf-8")
    with pytest.raises(NotYet, match="can't be imported: ModuleNotFoundError") as caught:
        Program(file)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("length = int(", "length = itn(", "raised NameError: name 'itn' is not defined (step_0_protocol.py, line 9)"),
        ("return [body]", "return [1]", "POST /sum: this violates WSGI. Iterator yielded non-bytestring (1)"),
    ],
)
def test_where_a_program_fails_is_said(old: str, new: str, said: str, tmp_path: Path):
    file = started(0, tmp_path)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(NotYet, match=re.escape(said)):
        Program(file).send("POST", "/sum", json=[1, 2])


def test_each_request_is_reported_as_a_curl_command(file: Path):
    reported: list[str] = []
    loaded = Program(file, reported.append)
    loaded.send("POST", "/sum", json=[1, 2])
    assert reported == [loaded.last_request]
    assert shlex.split(reported[0])[2:4] == ["-H", "Content-Type: application/json"]
    assert "--data-binary '[1, 2]'" in reported[0]


def test_a_name_that_the_program_does_not_define_is_said(file: Path):
    with pytest.raises(NotYet, match="after_this_request"):
        Program(file).after_this_request  # noqa: B018


def test_an_answer_with_another_status_or_body_is_not_yet(file: Path):
    file.write_text(program(), encoding="utf-8")
    loaded = Program(file)
    assert expect_answer(loaded, "POST", "/sum", 200, {"sum": 3}, json=[1, 2]).status_code == 200
    with pytest.raises(NotYet, match="status: expected 201, got 200"):
        expect_answer(loaded, "POST", "/sum", 201, json=[1, 2])
    with pytest.raises(NotYet, match=re.escape("body: expected {'sum': 4}, got {'sum': 3}")):
        expect_answer(loaded, "POST", "/sum", 200, {"sum": 4}, json=[1, 2])


def test_a_program_imports_the_steps_of_its_own_folder(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "step_90_own.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
    found = []
    for name in ("a", "b"):
        with importing_from(tmp_path / name):
            found.append(__import__("step_90_own").NAME)
    assert found == ["a", "b"]
    assert "step_90_own" not in sys.modules
    assert str(tmp_path / "b") not in sys.path
