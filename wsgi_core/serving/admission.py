"""Admission control: accepts or refuses a request, mainly by its expected wait for a worker thread.

An accepted request has a slot while it waits for a worker thread, while it runs, and while more than `task.WATERMARK`
bytes of its response are unsent.
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
    """Return the client to which `address` belongs, for the limits per client.

    IPv6 addresses of the same /64 network belong to one client. Each link-local IPv6 address is a client of its own. An
    IPv4-mapped address, or a translated address in 64:ff9b::/96, belongs to its IPv4 address. Text that is not an
    address is returned unchanged.
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
    """The slot of one request. `client` comes from `client_of`."""

    client: str
    state: Literal["waiting", "running", "released"] = "waiting"


class Refused(NamedTuple):
    """The reason for a refusal, and the number of seconds after which the client may retry."""

    reason: Reason
    retry_after: int


class Pace:
    """Measures how fast the server answers while requests wait.

    `interval` is the moving average of the seconds between two responses, or 0 if it is not known.
    """

    def __init__(self) -> None:
        self.interval = 0.0
        self._last = self._seconds = self._responses = 0.0

    def record(self, now: float, waiting: int) -> None:
        """Record that a response was completed at `now` (time.monotonic()). `waiting` is the number of waiting
        requests.
        """
        if self._last:
            passed = now - self._last
            kept = math.exp(-passed / _TIME_CONSTANT)
            self._seconds = self._seconds * kept + passed
            self._responses = self._responses * kept + 1
            self.interval = self._seconds / self._responses
        self._last = now if waiting else 0.0


@dataclass(slots=True)
class Admission:
    """The slots for requests. There are `threads` + `max_waiting` slots, and at most `per_client` for each client (0:
    no limit).

    A request is refused if no slot is free, or if its expected wait is longer than `max_wait` seconds. `retry_after` is
    the minimum number of seconds in Retry-After. `refused` counts the refused requests by reason.
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
        """The number of seconds that a new request will probably wait for a worker thread."""
        # A request that a free thread is about to take does not wait.
        return min(self.waiting, max(0, self.admitted - self.threads)) * self.pace.interval

    def acquire(self, client: str) -> Permit | Refused:
        """Return a slot for a request of `client`. If the request is refused, return a `Refused`."""
        with self._lock:
            if refused := self._refusal(client):
                return refused
            self.waiting += 1
            if self.per_client:
                self._clients[client] += 1
        return Permit(client)

    def check(self, client: str) -> Refused | None:
        """If a request of `client` would be refused now, return a `Refused`, otherwise None. No slot is taken.

        A refusal is counted.
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

        Raises RuntimeError if the request is not running.
        """
        with self._lock:
            if permit.state != "running":
                raise RuntimeError(f"a slot in the state {permit.state!r} cannot be released")
            self.running -= 1
            self._release_client(permit)
            self.pace.record(now, self.waiting)

    def refuse(self) -> Refused:
        """Count and return a refusal with the reason `overloaded`, even if a slot is free."""
        with self._lock:
            self.refused["overloaded"] += 1
        return Refused("overloaded", self._retry_after_wait())

    def expire(self) -> Refused:
        """Count and return a refusal with the reason `expired`, for a request that has waited too long."""
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
