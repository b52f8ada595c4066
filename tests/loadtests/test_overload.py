"""A server under four times its capacity answers or refuses, and loses nobody. (The script judges the times.)"""

from __future__ import annotations

from loadtests.load.victim import running, serve_command
from loadtests.overload import Outcome, batch, measure


def test_under_pressure_every_request_is_answered_or_refused():
    with running(*serve_command(threads=1, max_waiting=2)) as victim:
        outcome = measure(victim, batch(1000), clients=3, seconds=1)
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
