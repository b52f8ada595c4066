"""No exercise is solved by the unchanged program, and each exercise has a hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands.learn.learner import started
from wsgi_core.commands.learn.command import CHAPTERS
from wsgi_core.commands.learn.exercises import EXERCISES, Exercise
from wsgi_core.commands.learn.program import NotYet, Program

by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: f"{each.chapter}{each.letter}")


def test_every_chapter_has_two_exercises():
    assert [(each.chapter, each.letter) for each in EXERCISES] == [(n, x) for n in range(len(CHAPTERS)) for x in "ab"]


@by_name
def test_unsolved_at_first(exercise: Exercise, tmp_path: Path):
    file = started(exercise.chapter, tmp_path)
    with pytest.raises(NotYet):
        exercise.check(Program(file))


@by_name
def test_where_to_look_exists(exercise: Exercise):
    for file in re.findall(r"wsgi_core/[\w/]+\.py", exercise.similar_code):
        assert (Path(__file__).parents[3] / file).exists()
