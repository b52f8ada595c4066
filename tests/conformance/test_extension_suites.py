"""The outcomes of extensions' suites are compared. The command tests.conformance.extension_suites runs the suites."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.conformance.extension_suites import __main__ as command
from tests.conformance.extension_suites import report, suites
from tests.conformance.flask_suite.suite import Outcomes

SUITES = suites.load()
REAL = Outcomes(passed={"a", "b", "c"}, skipped={"d"}, why={"d": "no server", "e": "no server"})


def on_the_core(**changes: object) -> Outcomes:
    return Outcomes(**{"passed": {"a", "b", "c"}, "skipped": {"d"}, "why": {"d": "", "e": "other text"}, **changes})  # type: ignore[arg-type]


def test_each_source_distribution_is_pinned_and_each_group_has_its_versions():
    assert all(re.fullmatch("[0-9a-f]{64}", suite.sha256) and suite.version in suite.sdist for suite in SUITES)
    assert {suite.group for suite in SUITES} == set(suites.GROUPS)
    for suite in SUITES:
        pins = suite.lock.read_text(encoding="utf-8")
        assert "flask==3.1.3\n" in pins
        assert not suite.tests or f"\n{suite.project}=={suite.version}\n" in pins, suite.title


def test_equal_outcomes_are_no_difference_whatever_the_text():
    assert report.differing(REAL, on_the_core()) == []


@pytest.mark.parametrize(
    ("core", "different"),
    [
        (on_the_core(passed={"a", "b"}, why={"c": "boom", "d": "", "e": ""}), ["c"]),
        (on_the_core(passed={"a", "b"}), ["c"]),
        (on_the_core(passed={"a", "b", "c", "e"}, why={"d": ""}), ["e"]),
        (on_the_core(skipped=set()), ["d"]),
        (on_the_core(uncollected={"test_x.py": "ImportError"}), ["test_x.py"]),
    ],
    ids=["fails", "did not run", "passes alone", "fails where it was skipped", "cannot be imported"],
)
def test_another_outcome_is_a_difference(core: Outcomes, different: list[str]):
    assert report.differing(REAL, core) == different
    found = report.compare(SUITES[0], REAL, core, different)
    assert list(found.differences) == different
    assert any(different[0] in problem for problem in report.problems(SUITES[0], found, None))


def test_flask_and_the_core_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch):
    both_are_there = threading.Barrier(2)
    monkeypatch.setattr(command, "run", lambda *_: both_are_there.wait(timeout=60))
    assert sorted(command.both(SUITES[0], Path())) == [0, 1]


def test_a_suite_that_starts_a_server_on_a_fixed_port_runs_on_one_side_after_the_other(monkeypatch: pytest.MonkeyPatch):
    running = threading.Lock()

    def run(suite: suites.Suite, subject: str, *_: object) -> str:
        assert running.acquire(blocking=False)
        threading.Event().wait(0.05)
        running.release()
        return subject

    monkeypatch.setattr(command, "run", run)
    assert command.both(replace(SUITES[0], in_turn=True), Path()) == ["real", "core"]


def test_fewer_tests_than_are_stored_are_a_problem_even_if_they_are_the_same_on_both_sides():
    found = report.compare(SUITES[0], REAL, on_the_core(), [])
    assert report.problems(SUITES[0], found, None) == []
    assert report.problems(SUITES[0], found, {"core": {"passed": 3}}) == []
    (problem,) = report.problems(SUITES[0], found, {"core": {"passed": 4}})
    assert "3 tests pass on the core, 4 are stored" in problem


def test_a_run_that_was_stopped_is_a_problem():
    found = report.compare(SUITES[0], REAL, on_the_core(stopped="killed"), [])
    assert report.problems(SUITES[0], found, None) == [f"{SUITES[0].title}: killed"]


def test_a_stored_result_keeps_the_suites_that_did_not_run_again_and_the_page_shows_all(tmp_path: Path):
    file = tmp_path / "result.json"
    titles = [suite.title for suite in SUITES]
    report.save([report.compare(SUITES[0], REAL, on_the_core(), [])], titles, file)
    empty = report.Comparison(SUITES[-1].title, SUITES[-1].version, SUITES[-1].group)
    report.save([empty, report.compare(SUITES[1], REAL, on_the_core(passed={"a"}), ["b"])], titles, file)
    assert list(json.loads(file.read_text(encoding="utf-8"))["suites"]) == [titles[0], titles[1], titles[-1]]
    page = report.markdown(file)
    assert "**4 tests pass on the core, 6 on Flask, and 1 have another outcome" in page
    assert f"| {titles[-1]} {SUITES[-1].version} | | | | | | Its source distribution has no tests. |" in page
    assert f"| {titles[1]} | ``b`` | passed on Flask, not run on the core" in page
    assert report.line(asdict(empty)).endswith("no tests in the source distribution")


def test_the_page_in_the_docs_shows_the_stored_result():
    """If it fails, run ``python -m tests.conformance.extension_suites`` to write the page."""
    page = (report.FILE.parent / "conformance.md").read_text(encoding="utf-8")
    assert report.markdown() in page
