"""The observation of a request: its ids, the time spent in each phase, and the result."""

from __future__ import annotations

import functools
import logging
import random
import re
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from urllib.parse import quote

from ...inference.work import Times, Work, current
from .metrics import process_metrics

access_log = logging.getLogger("wsgi_core.access")

# Valid values of the header X-Request-ID.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)

_random_bits = random.getrandbits

# W3C Trace Context, 3.2. Versions after 00 may append further fields. The version ff and ids of zeros are not valid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,200})?", re.ASCII
)
_LENGTH_OF_VERSION_00 = 55


class Observation(Work):
    """What is recorded about one request. As a `Work`, it also has the deadline of the request.

    path: the requested path, percent-encoded
    request_id: the client's X-Request-ID, or a new id if the client's is missing or not valid
    traceparent: the client's traceparent, or None if it is missing or not valid
    started: the start of the request on the clock of `time.perf_counter()`
    times: the seconds by phase
    elapsed: the seconds until the response was made, or until a streamed response ended
    route: the matched rule, or "" if no rule matched
    streamed: whether the body is still generated after `deactivate`
    """

    # PERF: class attributes are the defaults, so `__init__` does not need to set them for each request.
    times: Times
    traceparent: str | None = None
    route = ""
    status = 500
    streamed = False
    elapsed = 0.0

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.started = perf_counter()
        self.environ = environ
        self.times = {}
        self.outer = current.get()
        self.method: str = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID")
        # The id does not need to be secret, only unique.
        self.request_id = given if given and _REQUEST_ID.fullmatch(given) else f"{_random_bits(64):016x}"
        trace = environ.get("HTTP_TRACEPARENT")
        if trace and is_traceparent(trace):
            self.traceparent = trace

    @property
    def path(self) -> str:
        raw = self.environ.get("PATH_INFO", "").encode("latin-1")
        return quote(raw or b"/", safe="/:@!$&'()*+,;=~")

    def set_response(self, status: int, route: str) -> list[tuple[str, str]]:
        """Record the response. Return the headers to add to the response.

        The headers are X-Request-ID and X-Response-Time-ms, Server-Timing if a phase was timed, and traceparent if the
        client sent a valid traceparent.
        """
        self.elapsed = perf_counter() - self.started
        self.status = status
        self.route = route
        headers = [("X-Request-ID", self.request_id), ("X-Response-Time-ms", _milliseconds(round(self.elapsed * 1e6)))]
        if self.times:
            headers.append(("Server-Timing", server_timing(self.times)))
        if self.traceparent:
            headers.append(("traceparent", self.traceparent))
        return headers

    def deactivate(self) -> None:
        """Make the previous `Work` the current `Work` again. Unless the response is streamed, call `finish`."""
        current.set(self.outer)
        if not self.streamed:
            self.finish()

    def finish(self) -> None:
        """Count the request as finished, and write it to the access log if the log is on."""
        if self.streamed or not self.elapsed:
            self.elapsed = perf_counter() - self.started
        metrics = process_metrics()
        metrics.active.discard(self)
        metrics.record(self.method, self.route, self.status, self.elapsed, self.times)
        if access_log.isEnabledFor(logging.INFO):
            self._log()

    def _log(self) -> None:
        elapsed_ms = self.elapsed * 1000
        access_log.info(
            "%s %s %s %.3f ms id=%s", self.method, self.path, self.status, elapsed_ms, self.request_id,
            extra={"request": self},
        )  # fmt: skip


def begin_request(environ: Mapping[str, Any]) -> Observation:
    """Return the observation of a new request. The observation is the current `Work` until `deactivate` is called."""
    observation = Observation(environ)
    current.set(observation)
    process_metrics().active.add(observation)
    return observation


def observed_request() -> Observation | None:
    """Return the observation of the current request, or None outside a request."""
    work = current.get()
    while not (work is None or isinstance(work, Observation)):
        work = work.outer
    return work


def is_traceparent(value: str) -> bool:
    """Return whether a header's value is a valid `traceparent` (W3C Trace Context, 3.2)."""
    return bool(_TRACEPARENT.fullmatch(value)) and (len(value) == _LENGTH_OF_VERSION_00 or not value.startswith("00"))


def server_timing(times: Times) -> str:
    """Return the value of the Server-Timing header (W3C Server Timing), with each phase in milliseconds."""
    return ", ".join([f"{name};dur={_milliseconds(round(seconds * 1e6))}" for name, seconds in times.items()])


# PERF: most times are short, so the cache often has their text. A look-up is faster than formatting a float.
@functools.lru_cache(maxsize=2048)
def _milliseconds(microseconds: int) -> str:
    return f"{microseconds / 1000:.3f}"
