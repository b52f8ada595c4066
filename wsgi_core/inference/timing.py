"""The time of a request by phase: `parse`, `validate`, `infer`, `encode`, in seconds.

The service sets `current` to a `Times` for each request, and the code below adds to it. Without a `Times` (in a
worker's job, or in a stream after the response has begun) only the runs of the models are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter

Times = dict[str, float]
RunObserver = Callable[[tuple[str, str], float], None]

current: ContextVar[Times | None] = ContextVar("wsgi_core.inference.times", default=None)

_observers: list[RunObserver] = []


def observe_runs(observer: RunObserver) -> None:
    """Call `observer` for every model run from now on, with the model's name and version, and the seconds it took."""
    if observer not in _observers:
        _observers.append(observer)


def add(phase: str, seconds: float) -> None:
    """Add to a phase of the current request, if there is one."""
    times = current.get()
    if times is not None:
        times[phase] = times.get(phase, 0.0) + seconds


def ran(name: str, version: str, seconds: float) -> None:
    """Count a run of a model."""
    times = current.get()
    if times is not None:
        times["infer"] = times.get("infer", 0.0) + seconds
    for observer in _observers:
        observer((name, version), seconds)


class phase:
    """A context manager that adds the time inside it to the phase of this name."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *exc: object) -> None:
        times = current.get()
        if times is not None:
            times[self._name] = times.get(self._name, 0.0) + perf_counter() - self._start
