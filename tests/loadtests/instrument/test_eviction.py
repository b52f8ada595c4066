"""Evictions before a request: nothing, data of a given size, or a given number of functions."""

import pytest

from loadtests.instrument.driver import run_cold_block
from loadtests.instrument.eviction import Eviction, evictor
from loadtests.instrument.request import EnvironMaker, Request


@pytest.mark.parametrize(
    ("eviction", "words"),
    [
        (Eviction(), "nothing"),
        (Eviction(32 << 10), "32 KiB of other data"),
        (Eviction(4 << 20), "4 MiB of other data"),
        (Eviction(code=200), "200 functions of other code"),
    ],
)
def test_an_eviction_says_what_it_is(eviction, words):
    assert str(eviction) == words
    assert (evictor(eviction) is None) is (words == "nothing")


def test_the_time_of_evicting_is_not_counted():
    def app(environ, start_response):
        start_response("200 OK", [])
        return ()

    def evict():
        for _ in range(200_000):
            pass

    block = run_cold_block(app, EnvironMaker([Request("GET", "/")], ["200 OK"], evict), 5)
    assert block.requests == 5
    assert block.cpu_ns < 5 * 1_000_000  # each eviction takes several ms, and is not included
