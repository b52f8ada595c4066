"""`wsgi-core learn` copies, runs and checks a learner's programs, and prints the next step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.commands.learn.learner import learn, program, started
from wsgi_core.commands.learn import command
from wsgi_core.commands.learn.checker import check_here
from wsgi_core.commands.learn.command import CHAPTERS, step_file, step_source
from wsgi_core.commands.learn.exercises import exercise_named
from wsgi_core.commands.learn.solutions import solved


def test_the_hint_comes_first_and_the_place_at_the_second_failure(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "check", check_here)  # these programs end, so no process of their own is needed
    first, second, third = (learn("check", "0", "--dir", str(file.parent))[1] for _ in range(3))
    assert "Hint: " in first
    assert "MethodNotAllowed" not in first
    assert "MethodNotAllowed" in second
    assert "learn solution 0a" not in second
    assert "wsgi-core learn solution 0a" in third
    file.write_text(program(), encoding="utf-8")
    learn("check", "0", "--dir", str(file.parent))
    file.write_text("application = None", encoding="utf-8")
    assert "MethodNotAllowed" not in learn("check", "0", "--dir", str(file.parent))[1]


@pytest.mark.parametrize("text", ["", "[1]", "no JSON", '{"0a": "many"}'])
def test_a_spoilt_file_of_tries_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / ".wsgi-core-learn.json").write_text(text, encoding="utf-8")
    assert command.count_try(tmp_path, exercise_named("0a"), False) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_the_file_of_tries_is_not_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious", encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".wsgi-core-learn.json").symlink_to(precious)
    assert command.count_try(tmp_path / "mine", exercise_named("0a"), False) == 1
    assert command.count_try(tmp_path / "mine", exercise_named("0a"), False) == 2
    assert precious.read_text(encoding="utf-8") == "precious"


def test_hint_and_solution(file: Path) -> None:
    code, said = learn("hint", "0a")
    assert code == 0
    assert "REQUEST_METHOD" in said
    code, said = learn("solution", "0a")
    assert code == 0
    assert said.startswith("--- step_0_protocol.py\n+++ step_0_protocol.py, solved")
    assert '+    if environ["REQUEST_METHOD"] != "POST":' in said
    assert learn("hint", "0c")[0] == 2


def test_start_again_keeps_what_was_written(file: Path) -> None:
    file.write_text("mine", encoding="utf-8")
    assert "exists already" in learn("start", "0", "--dir", str(file.parent))[1]
    assert file.read_text(encoding="utf-8") == "mine"
    assert learn("start", "0", "--dir", str(file.parent), "--reset")[0] == 0
    assert file.read_bytes() == step_source(0).read_bytes()
    assert file.with_name("step_0_protocol.py.mine").read_text(encoding="utf-8") == "mine"
    file.write_text("mine again", encoding="utf-8")
    assert learn("start", "0", "--dir", str(file.parent), "--reset")[0] == 0
    assert file.with_name("step_0_protocol.py.mine").read_text(encoding="utf-8") == "mine"
    assert file.with_name("step_0_protocol.py.mine2").read_text(encoding="utf-8") == "mine again"


def test_start_where_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = learn("start", "0", "--dir", str(tmp_path / "file" / "folder"))
    assert code == 1
    assert "Choose another folder with --dir." in said


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_start_does_not_write_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    work = tmp_path / "work"
    work.mkdir()
    (work / "step_0_protocol.py").symlink_to(target)
    learn("start", "0", "--dir", str(work))
    assert not target.exists()


def test_run_runs_the_learners_program(file: Path) -> None:
    file.write_text("import sys\nsys.exit(7)", encoding="utf-8")
    assert learn("run", "0", "--dir", str(file.parent))[0] == 7


def test_a_room_is_checked_at_once(tmp_path: Path) -> None:
    for name in ("ada", "grace"):
        assert learn("start", "1", "--dir", str(tmp_path / name))[0] == 0
    (tmp_path / "no learner").mkdir()
    step = step_file(tmp_path / "grace", 0)
    text = step.read_text(encoding="utf-8")
    step.write_text(solved("0b", solved("0a", text)), encoding="utf-8")
    code, said = learn("check", "--all", "--dir", str(tmp_path))
    assert code == 1
    ada, grace, total = said.splitlines()
    assert ada.split() == ["ada", *["0a", "not", "yet", "0b", "not", "yet", "1a", "not", "yet", "1b", "not", "yet"]]
    assert grace.split() == ["grace", *["0a", "solved", "0b", "solved", "1a", "not", "yet", "1b", "not", "yet"]]
    assert total == "2 of 8 solved."
    assert learn("check", "--all", "--dir", str(tmp_path / "no learner"))[0] == 1
    assert learn("check")[0] == 2


def test_check_says_what_is_missing(tmp_path: Path):
    started(3, tmp_path)
    code, said = learn("check", "3", "--dir", str(tmp_path))
    assert code == 1
    assert "a) not yet" in said
    assert "/power/2/10: status: expected 200, got 404" in said


def test_check_without_start(tmp_path: Path):
    code, said = learn("check", "0", "--dir", str(tmp_path))
    assert code == 1
    assert "wsgi-core learn start 0" in said


def test_list_names_every_step():
    said = learn("list")[1]
    assert [line.split()[-1] for line in said.splitlines()] == [
        step_source(number).name for number in range(len(CHAPTERS))
    ]
