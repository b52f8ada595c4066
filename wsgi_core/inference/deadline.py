"""A limit on the time of model runs. The code that answers a request sets it, and the runs below obey it.

A run cannot be interrupted from its own thread, which is inside onnxruntime. A watcher thread checks the active runs
and tells onnxruntime to end a run whose time is over or whose client has gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from functools import cache
from typing import Any

# The watcher's interval in seconds. A run may end this much later than its deadline.
TICK = 0.01


class RunStopped(Exception):
    """A model run was ended before its result."""


class DeadlineExceeded(RunStopped):
    """The time for the request was over."""

    def __init__(self) -> None:
        super().__init__("the time for this request is over")


class Cancelled(RunStopped):
    """The client closed its connection."""

    def __init__(self) -> None:
        super().__init__("the client closed the connection")


class Deadline:
    """A context manager that limits the model runs inside it.

    at: when they must end, as a time of `time.monotonic()`
    is_cancelled: tells whether the client has gone; called every `TICK` during a run, so it must be quick
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
        """Raise `Cancelled` or `DeadlineExceeded` if a run should not go on."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise Cancelled
        if time.monotonic() >= self.at:
            raise DeadlineExceeded


current: ContextVar[Deadline | None] = ContextVar("wsgi_core.inference.deadline", default=None)


class _Watcher:
    """Ends runs. Its thread sleeps while no run is active; a run only enters a table and leaves it again.

    runs: the options of each run, through which it is ended, and its deadline
    """

    def __init__(self) -> None:
        self.runs: dict[Any, Deadline] = {}
        self.awake = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Make the thread check the runs. After a fork there is no thread, so another one is started."""
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
                if self.runs:  # a run was added meanwhile and saw the event still set
                    self.awake.set()


_watcher = _Watcher()


@cache
def _options_class() -> Any:
    # Late: a server without models needs a deadline, and neither onnxruntime nor NumPy.
    from .runtime import import_runtime

    return import_runtime().RunOptions


def run_session(session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    """Call `session.run` within the current deadline, if there is one. Raises `RunStopped`, or what the run raises."""
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
