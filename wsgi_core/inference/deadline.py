"""A deadline for model runs. The code that handles a request sets the deadline, and every run inside it is limited.

A run cannot be stopped by its own thread, because this thread is inside onnxruntime. A watcher thread therefore checks
the active runs. It tells onnxruntime to stop a run if the deadline has passed or if the client has disconnected.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from functools import cache
from typing import Any

# The interval of the watcher in seconds. A run may end this many seconds after its deadline.
TICK = 0.01


class RunStopped(Exception):
    """A model run was stopped before it had a result."""


class DeadlineExceeded(RunStopped):
    """The deadline of the request has passed."""

    def __init__(self) -> None:
        super().__init__("the request has timed out")


class Cancelled(RunStopped):
    """The client closed the connection."""

    def __init__(self) -> None:
        super().__init__("the client closed the connection")


class Deadline:
    """A context manager that limits the model runs inside it.

    at: the time of the deadline on the clock of `time.monotonic()`
    is_cancelled: returns whether the client has disconnected. The watcher calls this function every `TICK` seconds
        during a run, so the function must be fast.
    """

    __slots__ = ("_token", "at", "is_cancelled")

    def __init__(self, at: float, is_cancelled: Callable[[], bool] | None = None) -> None:
        self.at = at
        self.is_cancelled = is_cancelled

    def __enter__(self) -> None:
        self._token: Token[Deadline | None] = current.set(self)

    def __exit__(self, *exc: object) -> None:
        current.reset(self._token)

    def check(self) -> None:
        """Raise `Cancelled` if the client has disconnected, or `DeadlineExceeded` if the deadline has passed."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise Cancelled
        if time.monotonic() >= self.at:
            raise DeadlineExceeded


current: ContextVar[Deadline | None] = ContextVar("wsgi_core.inference.deadline", default=None)


class _Watcher:
    """The watcher, whose thread stops model runs. The thread sleeps while no run is active.

    runs: maps the RunOptions of each active run, through which the run is stopped, to the deadline of the run
    """

    def __init__(self) -> None:
        self.runs: dict[Any, Deadline] = {}
        self.awake = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Make the thread check the runs. Start the thread if it does not run, as in a child process after a fork."""
        self.awake.set()
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            self.awake.wait()
            time.sleep(TICK)
            for options, deadline in self.runs.copy().items():
                try:
                    deadline.check()
                except RunStopped:
                    options.terminate = True
            if not self.runs:
                self.awake.clear()
                if self.runs:  # a run was added before the event was cleared, so its thread did not wake the watcher
                    self.awake.set()


_watcher = _Watcher()


@cache
def _options_class() -> Any:
    # Imported on first use, because a server without models uses this module but needs neither onnxruntime nor NumPy.
    from .runtime import import_runtime

    return import_runtime().RunOptions


def run_session(session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    """Call `session.run`, limited by the current deadline if there is one.

    Raises `RunStopped` if the run is stopped. Other errors of `session.run` are passed on.
    """
    deadline = current.get()
    if deadline is None:
        results: list[Any] = session.run(outputs, feed)
        return results
    return _run_until(deadline, session, outputs, feed)


def _run_until(deadline: Deadline, session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    deadline.check()
    options = _options_class()()
    _watcher.runs[options] = deadline
    if not _watcher.awake.is_set():
        _watcher.wake()
    try:
        results: list[Any] = session.run(outputs, feed, options)
        return results
    except Exception:
        if options.terminate:
            deadline.check()
        raise
    finally:
        del _watcher.runs[options]
