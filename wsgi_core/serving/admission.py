"""Admission control: decides whether a request gets a slot, mainly by its expected wait for a worker thread.

A request has its slot while it waits for a worker thread, while it runs, and while more than `task.WATERMARK` bytes of
its response are unsent. This module only counts the requests. Their queues are in `dispatcher`.
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


# The number of bits of an IPv6 address that identify the network (RFC 7421). A host can choose the other bits itself.
_CLIENT_PREFIX = 64
# The IPv6 addresses that a translator gives to IPv4 clients (RFC 6052).
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Return what counts as one client for the limits per client: an IPv4 address, or an IPv6 address' /64 network.

    An IPv4 address that is mapped or translated into IPv6 counts as the IPv4 address. Each link-local IPv6 address
    counts as one client, because these addresses share one network. Text that is not an address is returned unchanged,
    because a proxy may send an identifier (RFC 7239, section 6).
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.is_link_local:
        return str(parsed)
    if parsed.ipv4_mapped or parsed in _TRANSLATED:
        return str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
    return str(ipaddress.ip_network((int(parsed), _CLIENT_PREFIX), strict=False))


@dataclass(eq=False, slots=True)
class Permit:
    """The slot of one request. `client` comes from `client_of`. docs/develop/server.md says what releases the slot."""

    client: str
    state: Literal["waiting", "running", "released"] = "waiting"


class Refused(NamedTuple):
    """The reason why a request is refused, and the number of seconds after which the client may retry."""

    reason: Reason
    retry_after: int


class Pace:
    """The pace of responses under load. `interval` is the mean number of seconds between responses, or 0 if unknown.

    The mean is a moving average: older intervals count less. An interval counts only if requests were waiting when it
    began.
    """

    def __init__(self) -> None:
        self.interval = 0.0
        self._last = self._seconds = self._responses = 0.0

    def record(self, now: float, waiting: int) -> None:
        """Record that a response was completed at `now` (time.monotonic()), and that `waiting` requests wait."""
        if self._last:
            passed = now - self._last
            kept = math.exp(-passed / _TIME_CONSTANT)
            self._seconds = self._seconds * kept + passed
            self._responses = self._responses * kept + 1
            self.interval = self._seconds / self._responses
        self._last = now if waiting else 0.0


@dataclass(slots=True)
class Admission:
    """The slots for requests: `threads` + `max_waiting` in total, and `per_client` for each client (0: no limit).

    A request is refused if no slot is free, or if its expected wait is longer than `max_wait` seconds. `retry_after` is
    the smallest Retry-After in seconds. `refused` counts refusals since the start, by reason.
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
        """The number of seconds that a new request is expected to wait for a worker thread."""
        # A request that a free thread is about to take does not wait.
        return min(self.waiting, max(0, self.admitted - self.threads)) * self.pace.interval

    def acquire(self, client: str) -> Permit | Refused:
        """Return a slot for a new request of `client`, or a `Refused` if the request cannot get a slot."""
        with self._lock:
            if refused := self._refusal(client):
                return refused
            self.waiting += 1
            if self.per_client:
                self._clients[client] += 1
        return Permit(client)

    def check(self, client: str) -> Refused | None:
        """Return a `Refused` if a request of `client` cannot get a slot now, otherwise None.

        The refusal is counted. The check does not take a slot.
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
        """Release the slot of a waiting request. Return False if the request no longer waits."""
        with self._lock:
            if permit.state != "waiting":
                return False
            self.waiting -= 1
            self._release_client(permit)
        return True

    def release(self, permit: Permit, now: float) -> None:
        """Release the slot of a request whose response was completed at `now` (time.monotonic()).

        Raises RuntimeError if the request is not running. A second release would be a bug in the caller.
        """
        with self._lock:
            if permit.state != "running":
                raise RuntimeError(f"a slot in the state {permit.state!r} cannot be released")
            self.running -= 1
            self._release_client(permit)
            self.pace.record(now, self.waiting)

    def refuse(self) -> Refused:
        """Count a refusal with the reason `overloaded`, and return the refusal.

        The caller has already decided to refuse the request.
        """
        with self._lock:
            self.refused["overloaded"] += 1
        return Refused("overloaded", self._retry_after_wait())

    def expire(self) -> Refused:
        """Count a refusal with the reason `expired`, for a request that has waited too long. Return the refusal."""
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
        reason: Reason
        admitted = self.waiting + self.running
        if self.per_client and self._clients[client] >= self.per_client:
            reason = "client"
        elif admitted < self.threads:
            return None
        elif admitted >= self.threads + self.max_waiting or self.expected_wait > self.max_wait:
            reason = "overloaded"
        else:
            return None
        self.refused[reason] += 1
        return Refused(reason, self._retry_after_wait() if reason == "overloaded" else self.retry_after)

    def _retry_after_wait(self) -> int:
        """Return the expected wait, rounded up to whole seconds, and at least `retry_after`."""
        return max(self.retry_after, math.ceil(self.expected_wait))
