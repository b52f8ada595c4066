"""Deadlines for model runs. A `Work` (see `work`) has the deadline of a request.

A run is stopped if the deadline of the current work passes, or if the current work is cancelled.

The thread that runs a model cannot stop the run, because this thread is inside onnxruntime. So a watcher thread checks
the active runs, and tells onnxruntime which runs to stop. A stopped run ends when the current node of its graph ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .work import RunStopped, Work, current

# The interval of the watcher in seconds: the longest usual delay between a deadline and the stop of the run.
# PERF: each time the watcher wakes up, it takes the GIL from a worker thread, even if there is no run to stop.
TICK = 0.05


class _Watcher:
    """A thread that stops model runs. It sleeps while no run is active.

    runs: maps the RunOptions of each active run to the work of the run. `RunOptions.terminate = True` stops the run.
    """

    def __init__(self) -> None:
        self.runs: dict[Any, Work] = {}
        self.awake = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Make the thread check the runs. Start the thread if it is not running."""
        self.awake.set()
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            self.awake.wait()
            time.sleep(TICK)
            for options, work in self.runs.copy().items():
                try:
                    work.check()
                except RunStopped:
                    options.terminate = True
            if not self.runs:
                self.awake.clear()
                if self.runs:  # a run was added before the event was cleared, so the run's thread did not set the event
                    self.awake.set()


_watcher = _Watcher()


def _replace_watcher() -> None:
    global _watcher
    _watcher = _Watcher()


if hasattr(os, "register_at_fork"):
    # A fork copies the state of the watcher, but not its thread.
    os.register_at_fork(after_in_child=_replace_watcher)


@cache
def _options_class() -> Any:
    # Imported here, so that importing this module does not import NumPy.
    from .runtime import import_runtime

    return import_runtime().RunOptions


def run_session(session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    """Return `session.run(outputs, feed)`. If there is a current `Work`, the watcher can stop the run.

    Raises `RunStopped` if the work is cancelled or reaches its deadline before or during the run. If the run fails for
    another reason, the exception of `session.run` is raised.
    """
    work = current.get()
    if work is None:
        results: list[Any] = session.run(outputs, feed)
        return results
    return _run_until(work, session, outputs, feed)


def _run_until(work: Work, session: Any, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
    work.check()
    options = _options_class()()
    _watcher.runs[options] = work
    if not _watcher.awake.is_set():
        _watcher.wake()
    try:
        results: list[Any] = session.run(outputs, feed, options)
        return results
    except Exception:
        if options.terminate:
            work.check()
        raise
    finally:
        del _watcher.runs[options]
