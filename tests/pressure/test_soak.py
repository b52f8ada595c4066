"""The soak asks everything, knows a wrong answer, and sees a process that grows."""

from __future__ import annotations

import random

from tests.pressure.soak import BAD, GOOD, Ask, Client, Outcome, choose, get, summarize
from tests.pressure.under_test import running, serve_command


def test_every_kind_of_request_gets_what_it_must_and_a_wrong_answer_is_seen():
    outcome, first = Outcome(60), {}
    with running(*serve_command(), "--model-control") as server:
        client = Client(server.address, first, outcome)
        slow = {"POST /rag-chat"}  # reads all the docs at first, and is asked by the soak itself
        for _ in range(2):
            for one in (*GOOD, *BAD):
                if not one.name.startswith(tuple(slow)):
                    client.ask(one)
        assert outcome.wrong == []
        client.ask(get("/healthz", status=404))
        client.ask(Ask("GET /healthz", 200, GOOD[0].message))
        client.close()
    assert len(outcome.wrong) == 2


def test_one_in_four_is_bad():
    rng = random.Random(1)
    drawn = [choose(rng) for _ in range(1000)]
    assert 200 < sum(one in BAD for one in drawn) < 300


def test_growth_is_a_problem():
    outcome = Outcome(600)
    summarize(outcome, [(100.0 + second / 10, 20, 9) for second in range(60)])
    outcome.judge()
    assert outcome.problems == ["the memory grew"]
    outcome = Outcome(60)
    summarize(outcome, [(100.0, 20 + second // 5, 9 + second // 20) for second in range(60)])
    outcome.judge()
    assert outcome.problems == ["open files grew", "threads grew"]


def test_a_process_that_stays_as_it_was_is_none():
    outcome = Outcome(60)
    summarize(outcome, [(50.0, 20, 9)] * 10 + [(100.0, 23, 9)] * 49 + [(100.0, 30, 14)])
    outcome.judge()
    assert outcome.problems == []
    assert outcome.memory == (100.0, 100.0)
