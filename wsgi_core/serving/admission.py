"""Admission: which requests get a slot, by how long they would have to wait for a worker thread.

Only counting happens here. Which request waits where is the matter of `dispatcher`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Reason = Literal["overloaded", "client", "expired"]

# Seconds that the measured pace remembers.
_MEMORY = 1.0


@dataclass(eq=False, slots=True)
class Permit:
    """The slot of one request. Its owner releases it once: see docs/develop/server.md."""

    client: str
    state: Literal["waiting", "running", "released"] = "waiting"


class Refused(NamedTuple):
    """Why a request got no slot, and after how many seconds it might get one."""

    reason: Reason
    retry_after: int


class Pace:
    """How fast responses leave while requests wait: `interval`, the mean seconds from one to the next; 0 if unknown.

    Older intervals count less, by their age. Time in which no request waited is not counted.
    """

    def __init__(self) -> None:
        self.interval = 0.0
        self._last = self._seconds = self._responses = 0.0

    def left(self, now: float, waiting: int) -> None:
        """Note that a response has left at `now`, while `waiting` requests wait for a thread."""
        if self._last:
            passed = now - self._last
            kept = math.exp(-passed / _MEMORY)
            self._seconds = self._seconds * kept + passed
            self._responses = self._responses * kept + 1
            self.interval = self._seconds / self._responses
        self._last = now if waiting else 0.0


@dataclass(slots=True)
class Admission:
    """Slots for requests. A request is refused if those before it need longer than `max_wait` seconds.

    `max_waiting` bounds the number of requests that wait, `per_client` the requests of one address (0: no limit);
    `retry_after` is the least that a refused client is told to wait. `refused` counts refusals since the start.
    """

    max_waiting: int
    max_wait: float
    per_client: int = 0
    retry_after: int = 1
    waiting: int = 0
    running: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)
    threads: int = 1
    _clients: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def inside(self) -> int:
        """The requests that have a slot."""
        return self.waiting + self.running

    @property
    def expected_wait(self) -> float:
        """The seconds that a request which comes now would have to wait for a thread."""
        # A request that a free thread is about to take does not wait.
        return min(self.waiting, max(0, self.inside - self.threads)) * self.pace.interval

    def acquire(self, client: str) -> Permit | Refused:
        """Take a slot for a request of `client`, or say why there is none."""
        with self._lock:
            if refused := self._refusal(client):
                return refused
            self.waiting += 1
            if self.per_client:
                self._clients[client] += 1
        return Permit(client)

    def check(self, client: str) -> Refused | None:
        """Say why `client` would get no slot now, which counts as a refusal. No slot is taken."""
        with self._lock:
            return self._refusal(client)

    def begin(self, permit: Permit) -> bool:
        """Pass a slot to a worker thread; False if the request was cancelled while it waited."""
        with self._lock:
            if permit.state != "waiting":
                return False
            permit.state = "running"
            self.waiting -= 1
            self.running += 1
        return True

    def cancel(self, permit: Permit) -> bool:
        """Release the slot of a request that still waits; False if a worker thread has it already."""
        with self._lock:
            if permit.state != "waiting":
                return False
            self.waiting -= 1
            self._forget(permit)
        return True

    def release(self, permit: Permit, now: float) -> None:
        """Release the slot of a request whose response left at `now` (time.monotonic()).

        Raises RuntimeError if the slot is not held: its owner must know.
        """
        with self._lock:
            if permit.state != "running":
                raise RuntimeError(f"a slot in the state {permit.state!r} cannot be released")
            self.running -= 1
            self._forget(permit)
            self.pace.left(now, self.waiting)

    def refuse(self) -> Refused:
        """Count a request that gets no slot for another reason, and say when to try again."""
        with self._lock:
            self.refused["overloaded"] += 1
        return Refused("overloaded", self._seconds_to_wait())

    def expire(self) -> Refused:
        """Count a request that has waited too long, and say when to try again."""
        with self._lock:
            self.refused["expired"] += 1
        return Refused("expired", self._seconds_to_wait())

    def _forget(self, permit: Permit) -> None:
        permit.state = "released"
        if self.per_client:
            self._clients[permit.client] -= 1
            if not self._clients[permit.client]:
                del self._clients[permit.client]

    def _refusal(self, client: str) -> Refused | None:
        reason: Reason | None = None
        if self.per_client and self._clients[client] >= self.per_client:
            reason = "client"
        elif self.inside >= self.threads + self.max_waiting or self.expected_wait > self.max_wait:
            reason = "overloaded"
        if reason is None:
            return None
        self.refused[reason] += 1
        return Refused(reason, self._seconds_to_wait() if reason == "overloaded" else self.retry_after)

    def _seconds_to_wait(self) -> int:
        """Return how long the queue of now needs, in whole seconds."""
        return max(self.retry_after, math.ceil(self.expected_wait))
