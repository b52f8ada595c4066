"""How many requests may be here: so many at work, so many waiting, and no more of one client than it may have.

Only counting happens here; who waits where is the matter of `lanes`.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Reason = Literal["overloaded", "client", "expired"]


@dataclass(eq=False, slots=True)
class Ticket:
    """The place of one request, given back once. `large`: the bytes of its body, if they are counted."""

    client: str
    held: bool = True
    begun: bool = False
    large: int = 0


@dataclass(slots=True)
class Admission:
    """Places for `at_work` + `waiting` requests, at most `per_client` of them (0: all) for one address.

    `inside`: the places that are taken. `refused`: how many requests got none, by reason, since the start.
    """

    at_work: int
    waiting: int
    per_client: int = 0
    inside: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    _clients: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, client: str) -> Ticket | Reason:
        """A place for a request of ``client``, or why there is none."""
        with self._lock:
            if reason := self._reason(client):
                return reason
            self.inside += 1
            self._clients[client] += 1
        return Ticket(client)

    def look(self, client: str) -> Reason | None:
        """Why there is no place for ``client`` now, which counts as a refusal; None if there is one, not taken yet."""
        with self._lock:
            return self._reason(client)

    def leave(self, ticket: Ticket) -> None:
        """Give a place back; a second time does nothing."""
        with self._lock:
            if ticket.held:
                ticket.held = False
                self.inside -= 1
                self._clients[ticket.client] -= 1
                if not self._clients[ticket.client]:
                    del self._clients[ticket.client]

    def _reason(self, client: str) -> Reason | None:
        reason: Reason | None = None
        if self.per_client and self._clients[client] >= self.per_client:
            reason = "client"
        elif self.inside >= self.at_work + self.waiting:
            reason = "overloaded"
        if reason:
            self.refused[reason] += 1
        return reason
