"""The steps of a run are shown, and only steps that may be skipped are skipped."""

import io

import pytest
from rich.console import Console

from loadtests.instrument import progress


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (89.6, "90 s"), (150, "2 min")])
def test_durations_are_given_in_seconds_or_minutes(seconds, text):
    assert progress.duration(seconds) == text


def test_steps_beyond_the_deadline_are_left_out_if_they_may_be():
    done = []
    steps = [progress.Step(str(n), 100.0, lambda n=n: done.append(n), may_be_skipped=n != 1) for n in range(4)]
    left_out = progress.run_steps(steps, Console(quiet=True), lambda: None, deadline=150.0)
    assert (done, left_out) == ([0, 1, 2, 3], 0)
    done.clear()
    assert progress.run_steps(steps, Console(quiet=True), lambda: None, deadline=50.0) == 3
    assert done == [1]


def test_the_bar_on_a_terminal_runs_every_step_and_leaves_nothing_behind():
    done = []
    console = Console(force_terminal=True, file=io.StringIO(), width=80)
    progress.run_steps([progress.Step("one", 1.0, lambda: done.append(1))], console, lambda: None)
    assert done == [1]
