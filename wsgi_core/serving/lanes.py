"""Who answers a request: threads for the work, two of their own for health and metrics, nobody for what is refused.

waitress has one queue without a bound in front of its threads. Here a request that finds no place is answered at once
by whoever brought it, mostly the I/O thread, and health never stands behind a model run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import Any

from ..shared.access import HEALTH
from ..shared.deadlines import allowed_seconds
from ..shared.settings import Settings
from .admission import Admission, Reason, Ticket
from .errors import Refusal, overloaded, too_many_requests
from .proxies import forwarded_client

logger = logging.getLogger("wsgi_core.serving")

# What load balancers and monitors ask, and must be told when the server has no place for anything else.
ALWAYS = HEALTH | {"/metrics"}
_MONITOR_THREADS = 2

LARGE = 512 << 10
"""Bytes from which on a body is a large one. Made into numbers and objects it takes many times its own memory."""

_Turn = tuple[Any, Ticket | None]
"""The channel whose turn it is, and its place."""

# None ends the thread.
_Lane = SimpleQueue[_Turn | None]


class LargeBodies:
    """Those at work have at most ``limit`` bytes together, so that their memory does not add up, or there is but one.

    The others stand aside, in their order: they keep their place meanwhile, but no thread.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._at_work = 0
        self._aside: deque[_Turn] = deque()
        self._lock = threading.Lock()

    def enter(self, turn: _Turn, size: int) -> bool:
        """Whether a request may begin; if not, a `leave` gives it back once it may."""
        with self._lock:
            if self._aside or not self._fits(size):
                self._aside.append(turn)
                return False
            self._at_work += size
            return True

    def leave(self, size: int) -> list[_Turn]:
        """One is done: who may begin now, each as if it had entered."""
        following: list[_Turn] = []
        with self._lock:
            self._at_work -= size
            while self._aside and self._fits(_body_size(self._aside[0])):
                following.append(self._aside.popleft())
                self._at_work += _body_size(following[-1])
        return following

    def _fits(self, size: int) -> bool:
        return not self._at_work or self._at_work + size <= self._limit


class Lanes:
    """waitress's task dispatcher: takes channels, each with a whole request at the head of its queue."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self.settings = settings
        self.admission = admission
        self._work: _Lane = SimpleQueue()
        self._monitor: _Lane = SimpleQueue()
        self._large = LargeBodies(settings.max_content_length)
        self._threads = [
            *(self._start(self._work, f"work-{number}") for number in range(settings.threads)),
            *(self._start(self._monitor, f"monitor-{number}") for number in range(_MONITOR_THREADS)),
        ]

    def add_task(self, channel: Any) -> None:
        """Let the channel's next request wait for a thread, or mark it as refused: the caller answers then.

        The caller holds the channel's lock.
        """
        request = channel.requests[0]
        if request.error is None and _is_monitoring(request):
            self._monitor.put((channel, None))
            return
        if request.error is None:
            admitted = self.admission.enter(self._client(channel, request))
            if isinstance(admitted, Ticket):
                channel.ticket = admitted
                self._work.put((channel, admitted))
                return
            request.error = self._refusal(admitted)
        channel.refusals.append(request)

    def refusal(self, channel: Any, request: Any) -> Refusal | None:
        """What to answer to a request whose head has come, if there is no place for it now; that is counted."""
        if _is_monitoring(request):
            return None
        reason = self.admission.look(self._client(channel, request))
        return self._refusal(reason) if reason else None

    def give_back(self, ticket: Ticket) -> None:
        """A request at work needs its place no longer; a second time does nothing."""
        self.admission.leave(ticket)
        if size := ticket.large:
            ticket.large = 0
            for turn in self._large.leave(size):
                self._work.put(turn)

    def leave(self, channel: Any) -> None:
        """The channel's client has gone: its place is free if its request was only waiting."""
        ticket = channel.ticket
        if ticket is not None and not ticket.begun:
            self.admission.leave(ticket)

    def shutdown(self, timeout: float) -> bool:
        """End the threads, each after what it does now; whether all had ended after ``timeout`` seconds."""
        for _ in range(self.settings.threads):
            self._work.put(None)
        for _ in range(_MONITOR_THREADS):
            self._monitor.put(None)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _client(self, channel: Any, request: Any) -> str:
        return forwarded_client(channel.client, request.headers, self.settings)

    def _refusal(self, reason: Reason) -> Refusal:
        if reason == "client":
            return too_many_requests(self.settings.retry_after)
        return overloaded(self.settings.retry_after)

    def _start(self, lane: _Lane, name: str) -> threading.Thread:
        # A daemon: one that never ends must not keep the process alive beyond the stop's limit.
        thread = threading.Thread(target=self._serve, args=(lane,), name=name, daemon=True)
        thread.start()
        return thread

    def _serve(self, lane: _Lane) -> None:
        while (turn := lane.get()) is not None:
            if not self._stands_aside(turn):
                self._answer(turn)

    def _stands_aside(self, turn: _Turn) -> bool:
        """Whether a request with a large body has to wait for others of its kind."""
        _, ticket = turn
        size = _body_size(turn)
        if ticket is None or ticket.large or size < LARGE:
            return False
        ticket.large = size
        return not self._large.enter(turn, size)

    def _answer(self, turn: _Turn) -> None:
        channel, ticket = turn
        try:
            if ticket is not None:
                self._begin(channel, ticket)
            channel.service()
        except BaseException:
            logger.exception("a request on %r could not be answered", channel)
        finally:
            if ticket is not None:
                self.give_back(ticket)

    def _begin(self, channel: Any, ticket: Ticket) -> None:
        """Start with a request, unless its time went by while it waited: then it is refused."""
        ticket.begun = True
        request = channel.requests[0]
        try:
            seconds = allowed_seconds(request.headers.get("X_REQUEST_TIMEOUT"), self.settings.request_timeout)
        except ValueError:
            return  # the application says what is wrong with it
        if time.monotonic() - request.received_at >= seconds:
            self.admission.refused["expired"] += 1
            text = "the time for this request was over before it began"
            request.error = overloaded(self.settings.retry_after, text)


def _is_monitoring(request: Any) -> bool:
    return request.path in ALWAYS and request.command in ("GET", "HEAD")


def _body_size(turn: _Turn) -> int:
    """Bytes of the body; 0 for one that is read in pieces, or whose request was called off meanwhile."""
    requests = turn[0].requests
    if not requests or requests[0].path in requests[0].adj.body_limits:
        return 0
    return int(requests[0].headers.get("CONTENT_LENGTH") or 0)
