"""The plan of a run fits into its time, and spreads the steps of each kind evenly."""

import pytest

from loadtests import run, studies


@pytest.mark.parametrize("study", studies.STUDIES.values(), ids=studies.STUDIES)
def test_the_plan_of_a_quick_run_fits_into_90_seconds(study, tmp_path):
    quick = run.StudyRun(study, True, "c", tmp_path)
    assert quick.results.planned_seconds <= 90


def test_the_plan_of_a_full_run_fits_into_20_minutes(tmp_path):
    assert run.StudyRun(studies.STUDIES["service"], False, "c", tmp_path).results.planned_seconds <= 20 * 60


def test_kinds_of_steps_are_spread_over_the_run(tmp_path):
    labels = [step.label.partition(",")[0] for step in run.StudyRun(studies.STUDIES["core"], True, "c", tmp_path).steps]
    assert labels[0] == "comparing the responses"
    assert {"in process", "served", "imports"} <= set(labels[1:8])


@pytest.mark.parametrize("study", studies.STUDIES.values(), ids=studies.STUDIES)
def test_the_labels_of_all_steps_differ(study, tmp_path):
    """A resumed run skips steps by their labels."""
    labels = [step.label for step in run.StudyRun(study, False, "c", tmp_path).steps]
    assert len(set(labels)) == len(labels)
