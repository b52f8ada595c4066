"""The time that a request spends in each phase: `parse`, `validate`, `infer` and `encode`, in seconds.

The times are added to `times` of the current `Work` (see the module `work`). An observer is a function that is called
after model runs, even if there is no current `Work`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from .work import current

RunObserver = Callable[[tuple[str, str], float], None]

_observers: list[RunObserver] = []


def observe_runs(observer: RunObserver) -> None:
    """Register an observer, which is called after every successful model run. Warm-up runs are not reported.

    The arguments of the observer are the tuple `(name, version)` of the model, and the duration in seconds.
    """
    if observer not in _observers:
        _observers.append(observer)


def add(phase: str, seconds: float) -> None:
    """Add seconds to a phase of the current `Work`. Do nothing if no times are recorded."""
    work = current.get()
    if work is not None and (times := work.times) is not None:
        times[phase] = times.get(phase, 0.0) + seconds


def ran(name: str, version: str, seconds: float) -> None:
    """Add a model run to the phase `infer` of the current `Work`, and call the observers."""
    add("infer", seconds)
    for observer in _observers:
        observer((name, version), seconds)


class phase:
    """A context manager that adds the duration of its block to the phase `name` of the current `Work`."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *exc: object) -> None:
        add(self._name, perf_counter() - self._start)
