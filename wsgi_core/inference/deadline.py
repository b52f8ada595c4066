"""Deadlines for model runs. A run is stopped if the current `Work` is cancelled or reaches its deadline.

The thread that runs a model is inside onnxruntime and cannot stop the run. Therefore another thread, the watcher, tells
onnxruntime to stop the run. The run then ends after the current node of its graph.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .work import RunStopped, Work, current

# While models run, the watcher checks the runs every TICK seconds.
# PERF: each check takes the GIL from a worker thread, so a shorter interval would slow down requests.
TICK = 0.05


class _Watcher:
    """A thread that stops model runs. The thread waits while `runs` is empty.

    runs: maps the RunOptions of each active run to the `Work` of the run
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
    """Return `session.run(outputs, feed)`. If there is a current `Work`, the run can be stopped.

    Raises `RunStopped` if the watcher stops the run, or if the current `Work` is cancelled or past its deadline before
    the run. Other exceptions of `session.run` are raised unchanged.
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
