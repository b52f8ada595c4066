"""The open loop: planned times do not depend on responses, and latencies count from the planned times."""

import random
import selectors

import pytest

from loadtests.load import openloop


class FakeSelector:
    """A selector without ready connections until the time ``stalls``. Then each connection with a request is ready."""

    def __init__(self, clock, stalls):
        self.clock, self.stalls, self.connections = clock, stalls, []

    def select(self, timeout):
        self.clock.now += min(max(timeout, 0.0001), 0.001)
        if self.clock.now < self.stalls:
            return []
        return [(selectors.SelectorKey(None, 0, 0, one), 0) for one in self.connections if not one.done]


class Clock:
    now = 100.0

    def perf_counter(self):
        return self.now


class Connection:
    """A connection whose response is complete as soon as the selector reports it."""

    done = True

    def send(self, message, since):
        self.since = since
        self.done = False

    def receive(self):
        self.done = True
        return True


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(openloop, "time", found)
    return found


def run(clock, stalls, connections=1, rate=100.0, seconds=1.0):
    selector = FakeSelector(clock, stalls)
    selector.connections = [Connection() for _ in range(connections)]
    loop = openloop.OpenLoop(list(selector.connections), selector, iter(lambda: b"message", None))
    loop.run(rate, seconds, random.Random(1))
    return loop


def test_arrivals_come_at_the_rate_and_in_order():
    found = list(openloop.arrivals(200.0, 10.0, random.Random(5)))
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] < 10.0
    assert 1800 < len(found) < 2200


def test_every_request_that_was_due_is_counted(clock):
    due = list(openloop.arrivals(100.0, 1.0, random.Random(1)))
    assert len(run(clock, stalls=0.0, connections=4).latencies) == len(due)


def test_a_server_that_stops_is_charged_for_those_who_would_have_come(clock):
    """The server sends nothing for half a second, in which a closed loop with one connection sends a single request."""
    loop = run(clock, stalls=100.5)
    late = [latency for latency in loop.latencies if latency > 100.0]
    due = [instant for instant in openloop.arrivals(100.0, 1.0, random.Random(1)) if instant < 0.4]
    assert len(late) >= len(due)
    assert max(loop.latencies) == pytest.approx(500 - due[0] * 1000, abs=60)


def test_waiting_for_a_connection_is_no_lag_of_the_generator(clock):
    loop = run(clock, stalls=100.5)
    assert len(loop.lags) < len(loop.latencies)
    assert max(loop.lags) < 5.0


def test_a_server_that_does_not_keep_up_ends_the_run(clock):
    with pytest.raises(openloop.BadResponse, match="is too slow for 100 requests a second"):
        run(clock, stalls=200.0)
