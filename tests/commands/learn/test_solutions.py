"""Each solution solves its exercise in the unchanged program of its chapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.learn.learner import started
from wsgi_core.commands.learn.command import step_source
from wsgi_core.commands.learn.exercises import EXERCISES, Exercise
from wsgi_core.commands.learn.program import Program
from wsgi_core.commands.learn.solutions import SOLUTIONS, solved

by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: f"{each.chapter}{each.letter}")


def test_every_exercise_has_a_solution():
    assert list(SOLUTIONS) == [exercise.name for exercise in EXERCISES]


@by_name
def test_a_solution_passes(exercise: Exercise, tmp_path: Path):
    file = started(exercise.chapter, tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(solved(exercise.name, text), encoding="utf-8")
    exercise.check(Program(file))


def test_a_program_that_was_changed_there_cannot_be_solved():
    text = step_source(0).read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"0a: .* does not occur exactly once"):
        solved("0a", solved("0a", text).replace("length = int(", "size = int("))
    with pytest.raises(ValueError, match=r"0b: .* does not occur exactly once"):
        solved("0b", text + text)
