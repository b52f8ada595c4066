"""One request as it is observed: who it says it is, when it began, where its time went, how it ended."""

from __future__ import annotations

import functools
import logging
import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from urllib.parse import quote

from ...inference import deadline, timing
from .metrics import process_metrics

access_log = logging.getLogger("wsgi_core.access")

# What a client may choose as a request's id: it comes back in a header and stands in the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)

# W3C Trace Context, 3.2; a version after 00 may go on behind it. No version ff, no id of zeros.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,200})?", re.ASCII
)
_LENGTH_OF_VERSION_00 = 55


class Observation:
    """What is known about a request, until `end`.

    Who it is: method, path (with what is not plain ASCII as %-escapes), request_id, traceparent (None without a
    valid one).
    Where its time went: started (of time.perf_counter()), times, elapsed (in seconds).
    How it ended: route (the rule that matched, empty if none did), status, streamed (the answer goes on after the
    lifecycle's end).
    """

    __slots__ = (
        "_outer", "_outer_deadline", "elapsed", "environ", "method", "request_id", "route", "started", "status",
        "streamed", "times", "traceparent",
    )  # fmt: skip

    def __init__(self, environ: Mapping[str, Any], outer: Observation | None = None) -> None:
        self.started = perf_counter()
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self._outer = outer
        self._outer_deadline = deadline.current.get()
        given = environ.get("HTTP_X_REQUEST_ID")
        # Not secret, only different: what no server process will make twice.
        self.request_id = given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        trace = environ.get("HTTP_TRACEPARENT")
        self.traceparent = trace if trace and is_traceparent(trace) else None
        self.times: timing.Times = {}
        self.route = ""
        self.status = 500
        self.streamed = False
        self.elapsed = 0.0

    @property
    def path(self) -> str:
        raw = self.environ.get("PATH_INFO", "").encode("latin-1")
        return quote(raw or b"/", safe="/:@!$&'()*+,;=~")

    def answered(self, status: int, route: str) -> list[tuple[str, str]]:
        """Take down what was answered; the headers that tell the client about it."""
        self.elapsed = perf_counter() - self.started
        self.status = status
        self.route = route
        headers = [("X-Request-ID", self.request_id), ("X-Response-Time-ms", f"{self.elapsed * 1000:.3f}")]
        if self.times:
            headers.append(("Server-Timing", server_timing(self.times)))
        if self.traceparent:
            headers.append(("traceparent", self.traceparent))
        return headers

    def leave(self) -> None:
        """Leave the request's context; end the observation unless the response is streamed."""
        _current.set(self._outer)
        timing.current.set(self._outer.times if self._outer else None)
        deadline.current.set(self._outer_deadline)
        if not self.streamed:
            self.end()

    def end(self) -> None:
        """Count the finished request, and write its line into the access log."""
        if self.streamed or not self.elapsed:
            self.elapsed = perf_counter() - self.started
        metrics = process_metrics()
        metrics.active.discard(self)
        metrics.ended(self.method, self.route, self.status, self.elapsed, self.times)
        if access_log.isEnabledFor(logging.INFO):
            self._log()

    def _log(self) -> None:
        elapsed_ms = self.elapsed * 1000
        access_log.info(
            "%s %s %s %.3f ms id=%s", self.method, self.path, self.status, elapsed_ms, self.request_id,
            extra={"request": self},
        )  # fmt: skip


_current: ContextVar[Observation | None] = ContextVar("wsgi_core.shared.observability.request", default=None)


def begin_request(environ: Mapping[str, Any]) -> None:
    """Begin to observe a request; it is the current one of this context until `leave`."""
    observation = Observation(environ, _current.get())
    _current.set(observation)
    timing.current.set(observation.times)
    process_metrics().active.add(observation)


# PERF: asked by each hook, so it is the context variable's own method: the request of this context, or None.
observed_request = _current.get


def is_traceparent(value: str) -> bool:
    """Return whether a header is a valid `traceparent` (W3C Trace Context, 3.2)."""
    return bool(_TRACEPARENT.fullmatch(value)) and (len(value) == _LENGTH_OF_VERSION_00 or not value.startswith("00"))


def server_timing(times: timing.Times) -> str:
    """Return the value of Server-Timing (W3C Server Timing): the phases that there were, in milliseconds."""
    return _timing_format(tuple(times)) % tuple([seconds * 1000 for seconds in times.values()])


@functools.cache
def _timing_format(phases: tuple[str, ...]) -> str:
    """PERF: one format for all phases takes half of the time of one for each; their names are few."""
    return ", ".join(f"{name};dur=%.3f" for name in phases)
