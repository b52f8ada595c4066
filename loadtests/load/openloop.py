"""A load generator with an open loop: each request has a planned time, whether or not earlier requests are answered.

The planned times are those of many independent clients (a Poisson process). A latency counts from the planned time. If
no connection is free, the request waits, and the wait is part of its latency. A closed loop sends nothing while a
server stalls, so the results of a closed loop lack these long latencies (coordinated omission).

Run this module as a separate process, with the job as JSON on standard input.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from loadtests.load.closed_loop import Address, BadResponse, Connection, Message, run
from loadtests.load.window import Window, counts, percentiles

# If responses are still missing this many seconds after the end of the window, the server is too slow for the rate.
DRAIN_SECONDS = 10.0
LONGEST_WAIT = 0.05


def arrivals(rate: float, seconds: float, rng: random.Random) -> Iterator[float]:
    """Yield the times of a Poisson process of ``rate`` requests a second, from 0 to ``seconds``."""
    instant = rng.expovariate(rate)
    while instant < seconds:
        yield instant
        instant += rng.expovariate(rate)


class OpenLoop:
    """A generator that sends requests at planned times over a fixed number of connections.

    If no connection is free, a request waits.
    """

    def __init__(self, connections: list[Connection], selector: selectors.BaseSelector, messages: Iterator[Message]):
        self.free = connections
        self.count = len(connections)
        self.selector = selector
        self.messages = messages
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.lags: list[float] = []

    def run(self, rate: float, seconds: float, rng: random.Random) -> None:
        """Start ``rate`` requests a second on average for ``seconds``, and wait for the responses.

        ``latencies`` gets the latency of each request in ms. ``lags`` gets how many ms late a request was sent although
        a connection was free. Raises ``BadResponse`` if a response is wrong, or if responses are still missing
        ``DRAIN_SECONDS`` after the end.
        """
        self.latencies, self.lags = [], []
        began = time.perf_counter()
        schedule = (began + instant for instant in arrivals(rate, seconds, rng))
        due = next(schedule, None)
        while due is not None or self.waiting or len(self.free) < self.count:
            now = time.perf_counter()
            while due is not None and due <= now:
                self._start(due, now)
                due = next(schedule, None)
            if now > began + seconds + DRAIN_SECONDS:
                raise BadResponse(f"the server is too slow for {rate:.0f} requests a second")
            self._receive_ready(min(LONGEST_WAIT, max(0.0, due - now) if due is not None else LONGEST_WAIT))

    def _start(self, due: float, now: float) -> None:
        if self.waiting or not self.free:
            self.waiting.append(due)
        else:
            self.lags.append((now - due) * 1000)
            self.free.pop().send(next(self.messages), due)

    def _receive_ready(self, timeout: float) -> None:
        for key, _ in self.selector.select(timeout):
            connection: Connection = key.data
            if connection.receive():
                self.latencies.append((time.perf_counter() - connection.since) * 1000)
                if self.waiting:
                    connection.send(next(self.messages), self.waiting.popleft())
                else:
                    self.free.append(connection)


def drive(job: dict[str, Any], address: Address, messages: Iterator[Message]) -> list[dict[str, Any]]:
    """Measure one window for each stage of ``job``. A stage has a rate, a warm-up and the length of its window."""
    # NOTE: not epoll, whose timeouts are whole milliseconds: a request would start up to a millisecond too late.
    with selectors.SelectSelector() as selector, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(address, selector)) for _ in range(job["connections"])]
        loop = OpenLoop(connections, selector, messages)
        rng = random.Random(job["seed"])
        return [_measure(loop, Window(job["server_pid"]), stage, rng) for stage in job["stages"]]


def _measure(loop: OpenLoop, window: Window, stage: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    loop.run(stage["rate"], stage["warm_up"], rng)
    window.open()
    loop.run(stage["rate"], stage["seconds"], rng)
    return {**window.close(), **counts(loop.latencies), "lag_ms": percentiles(loop.lags)}


if __name__ == "__main__":
    sys.exit(run(drive))
