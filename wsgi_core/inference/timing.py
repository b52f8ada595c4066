"""The time that a request spends in each phase: `parse`, `validate`, `infer` and `encode`, in seconds.

The functions here add to the times of the current work. If there are none (in a job of a worker, or in a stream after
the start of the response), only model runs are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from .work import current

RunObserver = Callable[[tuple[str, str], float], None]

_observers: list[RunObserver] = []


def observe_runs(observer: RunObserver) -> None:
    """Call `observer` after every model run with the name and version of the model and the duration in seconds."""
    if observer not in _observers:
        _observers.append(observer)


def add(phase: str, seconds: float) -> None:
    """Add the seconds to a phase of the current work. Do nothing if its times are not recorded."""
    work = current.get()
    if work is not None and (times := work.times) is not None:
        times[phase] = times.get(phase, 0.0) + seconds


def ran(name: str, version: str, seconds: float) -> None:
    """Add a model run to the phase `infer` of the current request, and report the run to the observers."""
    add("infer", seconds)
    for observer in _observers:
        observer((name, version), seconds)


class phase:
    """A context manager that adds the duration of its block to the phase with this name."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *exc: object) -> None:
        add(self._name, perf_counter() - self._start)
