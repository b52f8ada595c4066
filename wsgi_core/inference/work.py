"""The work of a request: the deadline of its model runs, and the time of each phase.

While a request is handled, its `Work` is the current work. The module `deadline` stops the model runs of the current
work, and the module `timing` records the times of its phases.
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
    """The deadline of the current `Work` has passed."""

    def __init__(self) -> None:
        super().__init__("the request has timed out")


class Cancelled(RunStopped):
    """The current `Work` is cancelled, because the connection is closed or the process ends."""

    def __init__(self) -> None:
        super().__init__("cancelled: the connection is closed, or the process ends")


class Work:
    """The deadline and the phase times of a request. Inside its `with` block, a `Work` is the current work.

    at: the deadline, as a time of the clock `time.monotonic()`; infinity if there is no deadline
    is_cancelled: a fast function that returns whether the request is cancelled, or None; called during model runs
    times: the seconds spent in each phase, or None to record no times
    outer: the current work before the `with` block, which is restored after the block
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
