"""The study: several starts of all servers, in each several rounds in which every server takes its turn."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from loadtests.instrument import environment
from loadtests.rows import churn_rows
from loadtests.servers.client import Client
from loadtests.servers.contenders import OURS, Server, Unavailable, message
from loadtests.servers.running import Running, started

ROWS = 100
COMPARED = 20
WARM_UP = 0.2
IDLE_SECONDS = 2.0
# Their runs of the model may differ in the last bit of a float32.
TOLERANCE = 1e-6
# A guess for the progress bar.
START_GUESS = 12.0
T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """How much is measured: starts of all servers, rounds in each, seconds of a window, requests a second."""

    starts: int
    rounds: int
    seconds: float
    rate: float


@dataclass
class Study:
    """What is measured with which interpreters, and the result file as it grows: `results`."""

    servers: list[Server]
    pythons: dict[str, Path]
    size: Size
    results: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = churn_rows(ROWS)
        self.results |= {
            **vars(self.size),
            "rows": self.rows.source,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "environment": environment.describe(),
            "servers": {},
            "left_out": {},
            "idle": [],
            "windows": [],
        }

    def leave_out(self, server: Server, reason: str) -> None:
        """Measure it no more, and forget what of it was measured: a server is compared in every round or in none.

        Raises RuntimeError for our own, without which there is nothing to compare.
        """
        if server.key == OURS:
            raise RuntimeError(f"{server.title}: {reason}")
        self.servers = [one for one in self.servers if one is not server]
        self.results["left_out"][server.key] = reason
        self.results["servers"].pop(server.key, None)
        for rounds in self.results["windows"]:
            for windows in rounds:
                for form in server.forms:
                    windows.pop(name_of(server, form), None)

    def start_seconds(self) -> float:
        """About how long a start with its rounds takes."""
        forms = sum(len(server.forms) for server in self.servers)
        return START_GUESS + IDLE_SECONDS + self.size.rounds * forms * 2 * (self.size.seconds + WARM_UP + 0.1)

    def start(self, number: int) -> None:
        """Start all servers anew, compare their answers, and measure the rounds."""
        with_pythons = [(server, self.pythons[server.key]) for server in self.servers]
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            started(with_pythons, Path(folder)) as all_,
        ):
            self._compare([one for one, _ in self._those_that_can(all_, Running.wait)])
            ready = [one for one in all_ if one.server in self.servers]
            self.results["idle"].append(_idle(ready))
            self.results["windows"].append([])
            with Client() as client:
                for turn in range(self.size.rounds):
                    self._round(client, ready, f"{number}.{turn}")

    def _those_that_can(self, running: Sequence[Running], does: Callable[[Running], T]) -> list[tuple[Running, T]]:
        """What each gives; those that can't are left out."""
        done = []
        for one in running:
            try:
                done.append((one, does(one)))
            except Unavailable as error:
                self.leave_out(one.server, str(error))
        return done

    def _compare(self, running: Sequence[Running]) -> None:
        """Leave out those whose probabilities are not those of the first server."""
        rows = self.rows.rows[:COMPARED]
        answered = self._those_that_can(running, lambda one: [one.ask(form, rows) for form in one.server.forms])
        expected = answered[0][1][0]
        for one, found in answered:
            if not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
                self.leave_out(one.server, "its probabilities are others")

    def _round(self, client: Client, running: Sequence[Running], seed: str) -> None:
        """Everybody's turn, in an order that is drawn."""
        windows: dict[str, Any] = {}
        self.results["windows"][-1].append(windows)
        turns = [(one, form) for one in running for form in one.server.forms]
        random.Random(seed).shuffle(turns)
        for one, form in turns:
            if one.server in self.servers:
                try:
                    windows[name_of(one.server, form)] = client.measure(self._order(one, form, seed))
                except Unavailable as error:
                    self.leave_out(one.server, str(error))

    def _order(self, one: Running, form: str, seed: str) -> dict[str, Any]:
        return {
            **one.address._asdict(),
            "server_pid": one.process.pid,
            "messages": [message(form, row) for row in self.rows.rows],
            "warm_up": WARM_UP,
            "seconds": self.size.seconds,
            "rate": self.size.rate,
            "seed": seed,
        }


def _idle(running: Sequence[Running]) -> dict[str, float]:
    """The share of a core that each uses while nobody asks."""
    before = [one.cpu_seconds() for one in running]
    time.sleep(IDLE_SECONDS)
    used = [one.cpu_seconds() - start for one, start in zip(running, before, strict=True)]
    return {one.server.key: round(each / IDLE_SECONDS, 4) for one, each in zip(running, used, strict=True)}


def name_of(server: Server, form: str) -> str:
    """What a server that is asked in a form is called in the result file."""
    return f"{server.key} {form}"
