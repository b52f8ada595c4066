"""Under overload, a server answers or refuses every request, and loses no request. Only the command checks times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.pressure import overload
from tests.pressure.overload import Closed, Open, batch, main, measure_closed, measure_open
from tests.pressure.overload_page import KEPT, OWN, chart, report
from tests.pressure.under_test import running, serve_command

DOCS = Path(__file__).parents[2] / "docs" / "measure"


@pytest.mark.parametrize("kind", [KEPT, pytest.param(OWN, marks=pytest.mark.long)])
def test_under_overload_every_request_is_answered_or_refused(kind: str):
    with running(*serve_command(threads=1, max_wait=0.2)) as server:
        capacity = measure_closed(server, batch(1000), clients=4, seconds=1).rate
        outcome = measure_open(server, 1000, 4, kind, capacity, seconds=1)
    assert set(outcome.answers) == {"200", "503"}
    assert outcome.lost == {}
    assert all(int(value) >= 1 for value in outcome.retry_after)
    assert outcome.health


def test_clients_that_wait_for_their_responses_are_never_refused():
    with running(*serve_command(max_wait=60)) as server:  # a busy machine may need longer than usual
        outcome = measure_closed(server, batch(1), clients=200, seconds=1)
    assert set(outcome.answers) == {"200"}
    assert outcome.lost == {}


def test_failed_checks_are_named():
    closed = Closed(9, 1, {"200": 1, "503": 1}, {}, 10, 31)
    closed.judge()
    assert len(closed.problems) == 2
    outcome = Open(4, KEPT, 1, {"200": 1, "500": 1}, {"reset": 1}, {"0": 1}, {}, 4000, {}, {}, 100, {})
    outcome.judge()
    assert len(outcome.problems) == 4


def test_passed_checks_give_no_problem():
    closed = Closed(9, 1, {"200": 1}, {}, 10, 30)
    closed.judge()
    outcome = Open(4, KEPT, 1, {"200": 1, "503": 1}, {}, {"1": 1}, {}, 2900, {}, {}, 99, {})
    outcome.judge()
    assert (closed.problems, outcome.problems) == ([], [])


@pytest.mark.long
def test_the_command_writes_what_it_measured_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overload, "CLIENTS", (10,))
    monkeypatch.setattr(overload, "MULTIPLES", (1.0,))
    out = tmp_path / "overload.json"
    done = CliRunner().invoke(main, ["--seconds=1", "--rows=100", f"--out={out}"])
    results = json.loads(out.read_text(encoding="utf-8"))
    assert [(outcome["times"], outcome["connections"]) for outcome in results["open"]] == [
        (1.0, KEPT), (4.0, KEPT), (4.0, OWN)
    ]  # fmt: skip
    problems = [problem for outcome in [*results["closed"], *results["open"]] for problem in outcome["problems"]]
    assert done.exit_code == (1 if problems else 0)
    assert out.with_suffix(".md").read_text(encoding="utf-8") == report(results)
    assert "refused" in out.with_suffix(".svg").read_text(encoding="utf-8")


@pytest.mark.skipif(not DOCS.is_dir(), reason="only a checkout has the docs")
def test_the_page_of_the_docs_is_that_of_its_result_file():
    results = json.loads((DOCS / "overload.json").read_text(encoding="utf-8"))
    assert (DOCS / "overload.md").read_text(encoding="utf-8") == report(results)
    assert (DOCS / "overload.svg").read_text(encoding="utf-8") == chart(results).svg()
    assert all(outcome["lost"] == {} for outcome in [*results["closed"], *results["open"]])
