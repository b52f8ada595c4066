"""The soak covers every route, detects a wrong response, and detects a process that grows."""

from __future__ import annotations

import random

from tests.pressure.soak import INVALID, VALID, Case, Client, Outcome, choose, get, summarize
from tests.pressure.under_test import running, serve_command


def test_every_case_gets_its_status_and_a_wrong_response_is_detected():
    outcome, first = Outcome(60), {}
    with running(*serve_command(), "--model-control") as server:
        client = Client(server.address, first, outcome)
        slow = {"POST /rag-chat"}  # its first request reads all the docs; the soak itself sends it
        for _ in range(2):
            for case in (*VALID, *INVALID):
                if not case.name.startswith(tuple(slow)):
                    client.send(case)
        assert outcome.wrong == []
        client.send(get("/healthz", status=404))
        client.send(Case("GET /healthz", 200, VALID[0].message))
        client.close()
    assert len(outcome.wrong) == 2


def test_one_request_in_four_is_invalid():
    rng = random.Random(1)
    drawn = [choose(rng) for _ in range(1000)]
    assert 200 < sum(case in INVALID for case in drawn) < 300


def test_growth_is_a_problem():
    outcome = Outcome(600)
    summarize(outcome, [(100.0 + second / 10, 20, 9) for second in range(60)])
    outcome.judge()
    assert outcome.problems == ["the memory grew"]
    outcome = Outcome(60)
    summarize(outcome, [(100.0, 20 + second // 5, 9 + second // 20) for second in range(60)])
    outcome.judge()
    assert outcome.problems == ["open files grew", "threads grew"]
    for seconds, problems in ((60, []), (600, ["threads grew"])):
        outcome = Outcome(seconds, memory=(100.0, 100.0), threads=(9, 10))
        outcome.judge()
        assert outcome.problems == problems


def test_a_process_that_does_not_grow_is_no_problem():
    outcome = Outcome(60)
    summarize(outcome, [(50.0, 20, 9)] * 10 + [(100.0, 23, 9)] * 49 + [(100.0, 30, 14)])
    outcome.judge()
    assert outcome.problems == []
    assert outcome.memory == (100.0, 100.0)
