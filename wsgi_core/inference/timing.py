"""Where the time of a request goes, apart: `parse`, `validate`, `infer`, `encode`, in seconds by that name.

Whoever answers a request lays out a `Times`; what goes on below it in the same context adds to it. Without
one (a worker's job, a stream that is already on its way) only the runs of the models are told of.
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
    """Tell `observer` of every model run from now on: its model's name and version, the seconds it took."""
    if observer not in _observers:
        _observers.append(observer)


def add(phase: str, seconds: float) -> None:
    """Add to a phase of the request that is answered here, if one is."""
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
    """As a context manager: what goes on inside it belongs to the phase of this name."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *exc: object) -> None:
        times = current.get()
        if times is not None:
            times[self._name] = times.get(self._name, 0.0) + perf_counter() - self._start
