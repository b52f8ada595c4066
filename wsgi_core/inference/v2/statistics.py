"""The number and duration of each model's inferences, in the format of Triton's statistics extension."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..model import Model

_STEPS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


@dataclass(slots=True)
class _Totals:
    """The totals of one version of a model.

    last: the time of the last successful request, in ms since 1970
    rows: the number of rows in successful requests
    counts: how often each step was done
    times: the total duration of each step, in ns
    """

    last: int = 0
    rows: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_STEPS, 0))
    times: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_STEPS, 0))

    def add(self, **spent: int) -> None:
        for step, ns in spent.items():
            self.counts[step] += 1
            self.times[step] += ns

    def as_json(self, model: Model) -> dict[str, Any]:
        return {
            "name": model.name,
            "version": model.version,
            "last_inference": self.last,
            "inference_count": self.rows,
            "execution_count": self.counts["compute_infer"],
            "inference_stats": {step: {"count": self.counts[step], "ns": self.times[step]} for step in _STEPS},
            "batch_stats": [],
        }


class Statistics:
    """The totals of each version of each model since this object was created. Several threads may use the object.

    If a model is reloaded, its totals are kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[str, _Totals] = {}

    def success(self, model: Model, rows: int, read_ns: int, infer_ns: int, write_ns: int) -> None:
        """Count a successful request and its rows, and add the durations of reading, inference and writing."""
        with self._lock:
            totals = self._totals.setdefault(model.id, _Totals())
            totals.last = time.time_ns() // 1_000_000
            totals.rows += rows
            totals.add(
                success=read_ns + infer_ns + write_ns,
                compute_input=read_ns,
                compute_infer=infer_ns,
                compute_output=write_ns,
            )

    def failure(self, model: Model, ns: int) -> None:
        """Count a request that ended with an error, and add its duration."""
        with self._lock:
            self._totals.setdefault(model.id, _Totals()).add(fail=ns)

    def as_json(self, models: Iterable[Model]) -> dict[str, Any]:
        """Return the statistics of `models` in Triton's format. A version without requests has zeros."""
        with self._lock:
            return {"model_stats": [self._totals.get(model.id, _Totals()).as_json(model) for model in models]}
