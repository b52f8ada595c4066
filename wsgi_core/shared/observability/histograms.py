"""Histograms and sums of durations, kept in this process or in files that several processes share."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Labels = tuple[Any, ...]
"""The label values, in the order of the label names. A value may be any hashable object; its str() is reported."""


class Histogram(Protocol):
    """Histograms of durations in seconds: one for each combination of label values."""

    def observe(self, durations: Iterable[tuple[Labels, float]]) -> None:
        """Count each duration in the histogram of its label values. Thread-safe."""


class LocalHistogram:
    """A `Histogram` in the memory of this process. It is faster than the histogram of prometheus_client.

    `bounds` are the upper bounds of the buckets in seconds, in ascending order. One more bucket counts longer
    durations.
    """

    def __init__(self, name: str, description: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.name = name
        self.description = description
        self.labels = labels
        self.bounds = bounds
        self._lock = threading.Lock()
        # For each tuple of labels: the counts of the buckets, followed by the sum of the seconds.
        self._children: dict[Labels, list[float]] = {}

    def observe(self, durations: Iterable[tuple[Labels, float]]) -> None:
        bounds, children = self.bounds, self._children
        with self._lock:
            for labels, seconds in durations:
                child = children.get(labels)
                if child is None:
                    child = children[labels] = [0] * (len(bounds) + 2)
                child[bisect_left(bounds, seconds)] += 1
                child[-1] += seconds

    def collect(self) -> Iterator[Any]:
        """Yield the histogram as a prometheus_client metric family."""
        from prometheus_client.metrics_core import HistogramMetricFamily
        from prometheus_client.utils import floatToGoString

        family = HistogramMetricFamily(self.name, self.description, labels=self.labels)
        ends = [*map(floatToGoString, self.bounds), "+Inf"]
        with self._lock:
            children = [(labels, list(child)) for labels, child in self._children.items()]
        for labels, (*counts, seconds) in children:
            totals = [sum(counts[: place + 1]) for place in range(len(counts))]
            family.add_metric([*map(str, labels)], list(zip(ends, totals, strict=True)), seconds)
        yield family


class SharedHistogram:
    """A `Histogram` that prometheus_client keeps in a file, which other processes read."""

    def __init__(self, name: str, description: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        import prometheus_client

        self._histogram = prometheus_client.Histogram(name, description, labels, buckets=bounds, registry=None)
        self._children: dict[Labels, Any] = {}

    def observe(self, durations: Iterable[tuple[Labels, float]]) -> None:
        for labels, seconds in durations:
            child = self._children.get(labels)
            if child is None:
                child = self._children[labels] = self._histogram.labels(*map(str, labels))
            child.observe(seconds)


class Counter(Protocol):
    """Sums of seconds: one for each value of a label."""

    def add(self, seconds: Iterable[Mapping[str, float]]) -> None:
        """Add seconds to the sums. Each mapping has seconds by label value. Thread-safe."""


class LocalCounter:
    """A `Counter` in the memory of this process."""

    def __init__(self, name: str, description: str, label: str) -> None:
        self.name = name
        self.description = description
        self.label = label
        self._lock = threading.Lock()
        self._sums: dict[str, float] = {}

    def add(self, seconds: Iterable[Mapping[str, float]]) -> None:
        sums = self._sums
        with self._lock:
            for each in seconds:
                for value, more in each.items():
                    sums[value] = sums.get(value, 0.0) + more

    def collect(self) -> Iterator[Any]:
        """Yield the sums as a prometheus_client metric family."""
        from prometheus_client.metrics_core import CounterMetricFamily

        family = CounterMetricFamily(self.name, self.description, labels=[self.label])
        with self._lock:
            sums = dict(self._sums)
        for value, seconds in sums.items():
            family.add_metric([value], seconds)
        yield family


class SharedCounter:
    """A `Counter` that prometheus_client keeps in a file, which other processes read."""

    def __init__(self, name: str, description: str, label: str) -> None:
        import prometheus_client

        self._counter = prometheus_client.Counter(name, description, [label], registry=None)

    def add(self, seconds: Iterable[Mapping[str, float]]) -> None:
        for each in seconds:
            for value, more in each.items():
                self._counter.labels(value).inc(more)
