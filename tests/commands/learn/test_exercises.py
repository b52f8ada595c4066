"""Every exercise can be solved, and none is solved by the program as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.runner import CliRunner
from wsgi_core.commands.learn.command import CHAPTERS, learn_command, step_file, step_source
from wsgi_core.commands.learn.exercises import EXERCISES, Exercise
from wsgi_core.commands.learn.program import NotYet, Program
from wsgi_core.commands.learn.solutions import solved

by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: f"{each.chapter}{each.letter}")


def started(chapter: int, folder: Path) -> Path:
    done = CliRunner().invoke(learn_command, ["start", str(chapter), "--dir", str(folder)])
    assert done.exit_code == 0, done.output
    return step_file(folder, chapter)


def test_every_chapter_has_two_exercises():
    assert [(each.chapter, each.letter) for each in EXERCISES] == [(n, x) for n in range(len(CHAPTERS)) for x in "ab"]


@by_name
def test_unsolved_at_first(exercise: Exercise, tmp_path: Path):
    file = started(exercise.chapter, tmp_path)
    with pytest.raises(NotYet):
        exercise.check(Program(file))


@by_name
def test_a_solution_passes(exercise: Exercise, tmp_path: Path):
    file = started(exercise.chapter, tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(solved(exercise.name, text), encoding="utf-8")
    exercise.check(Program(file))


@by_name
def test_where_to_look_exists(exercise: Exercise):
    for file in re.findall(r"wsgi_core/[\w/]+\.py", exercise.look):
        assert (Path(__file__).parents[3] / file).exists()


def test_check_says_what_is_missing(tmp_path: Path):
    started(3, tmp_path)
    done = CliRunner().invoke(learn_command, ["check", "3", "--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "a) not yet" in done.output
    assert "/power/2/10: status: expected 200, got 404" in done.output


def test_a_program_that_fails_is_explained(tmp_path: Path):
    started(0, tmp_path).write_text("import nothing_of_this_name", encoding="utf-8")
    done = CliRunner().invoke(learn_command, ["check", "0", "--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "can't be imported: ModuleNotFoundError" in done.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("length = int(", "length = itn(", "raised NameError: name 'itn' is not defined (step_0_protocol.py, line 9)"),
        ("return [body]", "return [1]", "POST /sum: this is not WSGI. Iterator yielded non-bytestring (1)"),
    ],
)
def test_where_a_program_fails_is_said(old: str, new: str, said: str, tmp_path: Path):
    file = started(0, tmp_path)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(NotYet, match=re.escape(said)):
        Program(file).send("POST", "/sum", json=[1, 2])


def test_check_without_start(tmp_path: Path):
    done = CliRunner().invoke(learn_command, ["check", "0", "--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "wsgi-core learn start 0" in done.output


def test_start_keeps_what_is_there(tmp_path: Path):
    file = started(1, tmp_path)
    file.write_text("mine", encoding="utf-8")
    assert started(1, tmp_path).read_text(encoding="utf-8") == "mine"


def test_list_names_every_step():
    done = CliRunner().invoke(learn_command, ["list"])
    assert [line.split()[-1] for line in done.output.splitlines()] == [
        step_source(number).name for number in range(len(CHAPTERS))
    ]
