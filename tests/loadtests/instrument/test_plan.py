"""An interrupted plan continues where it stopped."""

import shutil

import pytest
from rich.console import Console

from loadtests import run, studies
from loadtests.cli import overhead
from loadtests.instrument import environment, inprocess
from loadtests.instrument.plan import Plan, repeated, spread_out
from loadtests.instrument.progress import Step
from loadtests.instrument.results import Results
from tests.loadtests.conftest import SMALL, TINY
from tests.loadtests.synthetic import measure
from tests.runner import CliRunner


def test_repetitions_are_spread_over_the_run():
    kinds = [repeated("many", 4, 1.0, lambda _: None), repeated("few", 2, 1.0, lambda _: None)]
    labels = [step.label.partition(",")[0] for step in spread_out(kinds)]
    assert labels == ["many", "few", "many", "many", "few", "many"]


def test_what_is_done_is_left_out_and_the_rest_counted():
    seen, done = [], ["a", "c"]
    steps = [Step(name, 1.0, lambda name=name: seen.append(name)) for name in ("a", "b", "c", "d")]
    plan = Plan(steps, done)
    assert plan.seconds == 2.0
    plan.carry_out(Console(quiet=True), lambda: None)
    assert seen == ["b", "d"]
    assert done == ["a", "c", "b", "d"]
    assert Plan(steps, done).finished


def test_a_step_that_is_always_carried_out_is_never_done():
    done = []
    steps = [Step("compare", 1.0, lambda: None, always=True), Step("a", 1.0, lambda: None)]
    Plan(steps, done).carry_out(Console(quiet=True), lambda: None)
    assert done == ["a"]
    assert Plan(steps, done).finished


def test_a_step_that_is_interrupted_is_not_done():
    def interrupted():
        raise KeyboardInterrupt

    done = []
    with pytest.raises(KeyboardInterrupt):
        Plan([Step("a", 1.0, interrupted)], done).carry_out(Console(quiet=True), lambda: None)
    assert done == []


SHORT = studies.Study("service", "Short", (SMALL.experiments[0],), ())


@pytest.fixture(scope="module")
def first_part(tmp_path_factory):
    """The outcome and the folder of a study that was interrupted after its first process. The samples are made up."""
    out = tmp_path_factory.mktemp("interrupted")
    measured = []

    def once(*arguments):
        measured.append(1)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inprocess.Workers, "measure", once)
        patch.setattr(inprocess.Workers, "try_out", lambda self, experiments: {})
        patch.setattr(run, "budget_of", lambda study, quick: TINY)
        patch.setitem(studies.STUDIES, "service", SHORT)
        outcome = CliRunner().invoke(overhead, ["--quick", "--out", str(out)])
    return outcome, out


@pytest.fixture
def interrupted(first_part, monkeypatch, tmp_path):
    """A copy of the folder of the interrupted study."""
    monkeypatch.setattr(inprocess.Workers, "measure", measure)
    monkeypatch.setattr(inprocess.Workers, "try_out", lambda self, experiments: {})
    monkeypatch.setattr(run, "budget_of", lambda study, quick: TINY)
    monkeypatch.setitem(studies.STUDIES, "service", SHORT)
    return shutil.copytree(first_part[1], tmp_path / "out")


def test_an_interrupted_run_says_how_it_goes_on(first_part):
    outcome, _ = first_part
    assert outcome.exit_code == 130
    assert "--resume continues the run" in outcome.stderr


def resume(out, *arguments):
    return CliRunner().invoke(overhead, ["--out", str(out), "--resume", *arguments])


def test_an_interrupted_run_is_resumed(interrupted):
    before = Results.read(interrupted / "results.json")
    assert before.partial
    outcome = resume(interrupted, "--quick")
    assert outcome.exit_code == 0, outcome.output
    after = Results.read(interrupted / "results.json")
    assert not after.partial
    assert [len(one.experiments[0].processes) for one in (before, after)] == [1, TINY.pace.processes]
    assert after.experiments[0].processes[0] == before.experiments[0].processes[0]
    assert after.started == before.started
    again = resume(interrupted, "--quick")
    assert again.exit_code == 0
    assert "nothing left to measure" in again.output


def test_a_run_of_another_command_is_not_resumed(interrupted):
    outcome = resume(interrupted)
    assert outcome.exit_code == 1
    assert "another command started this run: wsgi-core overhead --quick" in outcome.output


def test_a_run_of_other_code_is_not_resumed(interrupted, monkeypatch):
    monkeypatch.setattr(environment, "revision", lambda: "another")
    outcome = resume(interrupted, "--quick")
    assert outcome.exit_code == 1
    assert "the code has changed" in outcome.output


def test_nothing_to_resume_is_said(tmp_path):
    outcome = resume(tmp_path)
    assert outcome.exit_code == 1
    assert "nothing to resume" in outcome.output
