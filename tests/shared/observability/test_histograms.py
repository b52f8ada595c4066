"""The project's histograms have the same numbers as those of prometheus_client."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from wsgi_core.shared.observability.histograms import LocalCounter, LocalHistogram

BOUNDS = (0.001, 0.01, 1)
LABELS = ("route", "status")


class Collected:
    """A registry with one collector."""

    def __init__(self, collector: Any) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(collector)

    @property
    def text(self) -> list[str]:
        lines = generate_latest(self.registry).decode().splitlines()
        return sorted(line for line in lines if "_created" not in line)


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 0.0010001, 0.01, 0.5, 1, 1.5, 100])
def test_a_local_histogram_counts_as_prometheus_clients_does(seconds: float):
    ours = LocalHistogram("x_seconds", "How long.", LABELS, BOUNDS)
    theirs_registry = CollectorRegistry()
    theirs = Histogram("x_seconds", "How long.", LABELS, buckets=BOUNDS, registry=theirs_registry)
    for labels in (("/a", 200), ("/b", 404), ("/a", 200)):
        ours.observe([(labels, seconds)])
        theirs.labels(*labels).observe(seconds)
    lines = generate_latest(theirs_registry).decode().splitlines()
    assert Collected(ours).text == sorted(line for line in lines if "_created" not in line)


def test_local_totals_add_up_as_prometheus_clients_counter_does():
    ours = LocalCounter("x_seconds", "Sums.", "phase")
    theirs_registry = CollectorRegistry()
    theirs = Counter("x_seconds", "Sums.", ["phase"], registry=theirs_registry)
    for seconds in ({"parse": 0.5, "infer": 1.0}, {"parse": 0.25}):
        ours.add([seconds])
        for phase, more in seconds.items():
            theirs.labels(phase).inc(more)
    lines = generate_latest(theirs_registry).decode().splitlines()
    assert Collected(ours).text == sorted(line for line in lines if "_created" not in line)


def test_nothing_is_lost_between_threads():
    histogram = LocalHistogram("x_seconds", "How long.", ("n",), BOUNDS)
    totals = LocalCounter("y_seconds", "Sums.", "phase")

    def work() -> None:
        for _ in range(2000):
            histogram.observe([(("a",), 0.5)])
            totals.add([{"parse": 1.0}])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 'x_seconds_count{n="a"} 8000.0' in Collected(histogram).text
    assert 'y_seconds_total{phase="parse"} 8000.0' in Collected(totals).text
