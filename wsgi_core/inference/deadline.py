"""A limit on the time of model runs: whoever answers a request sets it, the runs below it obey it.

A run cannot be interrupted from its own thread, which is inside the runtime. A watcher looks at the runs that
go on and tells onnxruntime to stop those whose time is over or that nobody waits for any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from functools import cache
from typing import Any

# How often the watcher looks, in seconds: so much later than its deadline may a run be stopped.
TICK = 0.01


class Stopped(Exception):
    """A model run was given up. `left`: because the client has gone, otherwise because its time was over."""

    def __init__(self, left: bool) -> None:
        super().__init__("the client has left" if left else "the time for this request was over")
        self.left = left


class Deadline:
    """As a context manager: until when the model runs inside it may take, and who tells that nobody waits any more.

    `at` is a time of `time.monotonic()`; `gone`, which must be quick, is asked every `TICK` while a run goes on.
    """

    __slots__ = ("_token", "at", "gone")

    def __init__(self, at: float, gone: Callable[[], bool] | None = None) -> None:
        self.at = at
        self.gone = gone

    def __enter__(self) -> None:
        self._token: Token[Deadline | None] = current.set(self)

    def __exit__(self, *exc: object) -> None:
        current.reset(self._token)

    def check(self) -> None:
        """Raise `Stopped` if it makes no sense to go on."""
        if self.gone is not None and self.gone():
            raise Stopped(left=True)
        if time.monotonic() >= self.at:
            raise Stopped(left=False)


current: ContextVar[Deadline | None] = ContextVar("wsgi_core.inference.deadline", default=None)


class _Watcher:
    """Stops runs. Its thread sleeps while there is none; a run only enters a table and leaves it again.

    runs: the options of each run, through which it is stopped, and its deadline
    """

    def __init__(self) -> None:
        self.runs: dict[Any, Deadline] = {}
        self.awake = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """See to it that the thread looks; after a fork there is none and another is started."""
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
                except Stopped:
                    options.terminate = True
            if not self.runs:
                self.awake.clear()
                if self.runs:  # one came in between, which saw the event still set
                    self.awake.set()


_watcher = _Watcher()


@cache
def _options_class() -> Any:
    """RunOptions of onnxruntime, which takes long to import and is there when the first model is."""
    from onnxruntime import RunOptions

    return RunOptions


def run_session(session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    """`session.run` within the deadline that holds here, if one does. Raises `Stopped`, or what the run raises."""
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
