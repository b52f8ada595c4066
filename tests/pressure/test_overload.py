"""A server under four times its capacity answers or refuses, and loses nobody. (The script judges the times.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pressure.overload import Outcome, batch, main, measure
from tests.pressure.overload_page import KEPT, OWN, report
from tests.pressure.under_test import running, serve_command
from tests.runner import CliRunner

DOCS = Path(__file__).parents[2] / "docs" / "measure"


def test_under_pressure_every_request_is_answered_or_refused():
    with running(*serve_command(threads=1, max_waiting=2)) as server:
        outcome = measure(server, batch(1000), clients=3, seconds=1)
    assert set(outcome.answers) <= {"200", "503"}
    assert outcome.answers["200"] > 0
    assert outcome.lost == {}
    assert outcome.health


def test_what_does_not_hold_is_named():
    outcome = Outcome(1, 10, 4, {"200": 1, "500": 1}, {"reset": 1}, {"p99": 21}, {}, {}, 100, {})
    outcome.judge()
    assert len(outcome.problems) == 3
    outcome = Outcome(1, 10, 4, {"200": 1, "503": 1}, {}, {"p99": 20}, {}, {}, 99, {})
    outcome.judge()
    assert outcome.problems == []


def test_the_command_writes_what_it_measured_and_a_page(tmp_path: Path):
    out = tmp_path / "overload.json"
    args = ["--seconds=0.4", "--rows=100", "--connections=both", f"--out={out}"]
    done = CliRunner().invoke(main, args)
    results = json.loads(out.read_text(encoding="utf-8"))
    assert set(results["outcomes"]) == {KEPT, OWN}
    problems = [problem for outcome in results["outcomes"].values() for problem in outcome["problems"]]
    assert done.exit_code == (1 if problems else 0)
    assert out.with_suffix(".md").read_text(encoding="utf-8") == report(results)


@pytest.mark.skipif(not DOCS.is_dir(), reason="only a checkout has the docs")
def test_the_page_of_the_docs_is_that_of_its_result_file():
    results = json.loads((DOCS / "overload.json").read_text(encoding="utf-8"))
    assert (DOCS / "overload.md").read_text(encoding="utf-8") == report(results)
    assert all(outcome["lost"] == {} for outcome in results["outcomes"].values())
