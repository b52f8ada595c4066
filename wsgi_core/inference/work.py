"""The work of a request: the deadline of its model runs, and the durations of its phases.

The code that handles a request makes the request's `Work` the current work. The modules `deadline` and `timing` use the
current work: `deadline` stops model runs, and `timing` records the phases.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextvars import ContextVar

Times = dict[str, float]


class RunStopped(Exception):
    """A model run was stopped before it had a result, or was not started."""


class DeadlineExceeded(RunStopped):
    """The deadline of the work has passed."""

    def __init__(self) -> None:
        super().__init__("the request has timed out")


class Cancelled(RunStopped):
    """The work was cancelled: its connection is closed, or the process ends."""

    def __init__(self) -> None:
        super().__init__("cancelled: the connection is closed, or the process ends")


class Work:
    """The deadline and the phase times of a request, as a context manager.

    Inside the `with` block, this object is the current work. After the block, `outer` is the current work again.

    at: the time of the deadline on the clock of `time.monotonic()`
    is_cancelled: returns whether the connection is closed or the process ends. During a model run, a thread calls this
        function every 50 ms, so it must be fast.
    times: the seconds by phase, or None if no times are recorded
    outer: the current work outside the block, or None
    """

    at: float = math.inf
    is_cancelled: Callable[[], bool] | None = None
    times: Times | None = None
    outer: Work | None = None

    def __init__(
        self, at: float = math.inf, is_cancelled: Callable[[], bool] | None = None, times: Times | None = None
    ) -> None:
        self.at = at
        self.is_cancelled = is_cancelled
        self.times = times

    def __enter__(self) -> None:
        self.outer = current.get()
        current.set(self)

    def __exit__(self, *exc: object) -> None:
        current.set(self.outer)

    def check(self) -> None:
        """Raise `Cancelled` if `is_cancelled` returns True, or `DeadlineExceeded` if the deadline has passed."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise Cancelled
        if time.monotonic() >= self.at:
            raise DeadlineExceeded


current: ContextVar[Work | None] = ContextVar("wsgi_core.inference.work", default=None)
