"""Admission control: decides which requests get a slot, by their expected wait for a worker thread.

This module only counts requests. The queues are in `dispatcher`.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

Reason = Literal["overloaded", "client", "expired"]

# Time constant in seconds of the moving average in `Pace`.
_TIME_CONSTANT = 1.0


# The part of an IPv6 address that identifies a customer's network (RFC 6177). The customer chooses the other bits.
_CLIENT_PREFIX = 64


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Return the client that the limits per client count: an IPv4 address, or the /64 network of an IPv6 address.

    An IPv4 address that is mapped into IPv6 counts as the IPv4 address. A link-local IPv6 address counts on its own.
    Text that is not an address is returned unchanged, because a proxy may send an identifier (RFC 7239, section 6).
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.is_link_local:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _CLIENT_PREFIX), strict=False))


@dataclass(eq=False, slots=True)
class Permit:
    """The slot of one request. Its owner releases the slot exactly once: see docs/develop/server.md."""

    client: str
    state: Literal["waiting", "running", "released"] = "waiting"


class Refused(NamedTuple):
    """The reason why a request got no slot, and the number of seconds after which the client may retry."""

    reason: Reason
    retry_after: int


class Pace:
    """The pace of responses under load. `interval` is the mean number of seconds between responses, or 0 if unknown.

    The mean is a moving average: older intervals count less. Time during which no request waits is not counted.
    """

    def __init__(self) -> None:
        self.interval = 0.0
        self._last = self._seconds = self._responses = 0.0

    def record(self, now: float, waiting: int) -> None:
        """Record that a response was completed at `now`, while `waiting` requests wait for a thread."""
        if self._last:
            passed = now - self._last
            kept = math.exp(-passed / _TIME_CONSTANT)
            self._seconds = self._seconds * kept + passed
            self._responses = self._responses * kept + 1
            self.interval = self._seconds / self._responses
        self._last = now if waiting else 0.0


@dataclass(slots=True)
class Admission:
    """The slots for requests. A request is refused if its expected wait is longer than `max_wait` seconds.

    `max_waiting` limits the number of waiting requests. `per_client` limits the requests of one client address (0 means
    no limit). `retry_after` is the smallest Retry-After in seconds. `refused` counts refusals since the start.
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
    def admitted(self) -> int:
        """The number of requests that have a slot."""
        return self.waiting + self.running

    @property
    def expected_wait(self) -> float:
        """The expected wait for a worker thread, in seconds, of a request that arrives now."""
        # A request that a free thread is about to take does not wait.
        return min(self.waiting, max(0, self.admitted - self.threads)) * self.pace.interval

    def acquire(self, client: str) -> Permit | Refused:
        """Return a slot for a request of `client`, or the reason why the request is refused."""
        with self._lock:
            if refused := self._refusal(client):
                return refused
            self.waiting += 1
            if self.per_client:
                self._clients[client] += 1
        return Permit(client)

    def check(self, client: str) -> Refused | None:
        """Return the reason why `client` cannot get a slot now, or None if a slot is available.

        A returned reason is counted as a refusal. The check does not take a slot.
        """
        with self._lock:
            return self._refusal(client)

    def begin(self, permit: Permit) -> bool:
        """Mark a waiting request as running. Return False if the request was cancelled while it waited."""
        with self._lock:
            if permit.state != "waiting":
                return False
            permit.state = "running"
            self.waiting -= 1
            self.running += 1
        return True

    def cancel(self, permit: Permit) -> bool:
        """Release the slot of a waiting request. Return False if a worker thread has already begun the request."""
        with self._lock:
            if permit.state != "waiting":
                return False
            self.waiting -= 1
            self._release_client(permit)
        return True

    def release(self, permit: Permit, now: float) -> None:
        """Release the slot of a request whose response was completed at `now` (time.monotonic()).

        Raises RuntimeError if the slot is not held, because a second release is a bug in the caller.
        """
        with self._lock:
            if permit.state != "running":
                raise RuntimeError(f"a slot in the state {permit.state!r} cannot be released")
            self.running -= 1
            self._release_client(permit)
            self.pace.record(now, self.waiting)

    def refuse(self) -> Refused:
        """Count a refusal for which the caller has its own reason, as `overloaded`.

        Return the refusal with the number of seconds after which the client may retry.
        """
        with self._lock:
            self.refused["overloaded"] += 1
        return Refused("overloaded", self._retry_after_wait())

    def expire(self) -> Refused:
        """Count a request that has waited too long, as `expired`.

        Return the refusal with the number of seconds after which the client may retry.
        """
        with self._lock:
            self.refused["expired"] += 1
        return Refused("expired", self._retry_after_wait())

    def _release_client(self, permit: Permit) -> None:
        permit.state = "released"
        if self.per_client:
            self._clients[permit.client] -= 1
            if not self._clients[permit.client]:
                del self._clients[permit.client]

    def _refusal(self, client: str) -> Refused | None:
        reason: Reason | None = None
        if self.per_client and self._clients[client] >= self.per_client:
            reason = "client"
        elif self.admitted >= self.threads + self.max_waiting or self.expected_wait > self.max_wait:
            reason = "overloaded"
        if reason is None:
            return None
        self.refused[reason] += 1
        return Refused(reason, self._retry_after_wait() if reason == "overloaded" else self.retry_after)

    def _retry_after_wait(self) -> int:
        """Return the expected wait in whole seconds, at least `retry_after`."""
        return max(self.retry_after, math.ceil(self.expected_wait))
