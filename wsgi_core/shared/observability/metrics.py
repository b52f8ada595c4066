"""Prometheus metrics of this process, or of all processes that share the folder `PROMETHEUS_MULTIPROC_DIR`.

Requests are counted by the matched rule, and unknown methods are counted as `_OTHER`. So clients cannot add time series
without limit. Metrics of requests have OpenTelemetry's names if OpenTelemetry defines a name.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ...inference import timing
from ...inference.work import Times
from .histograms import Counter, Histogram, Labels, LocalCounter, LocalHistogram, SharedCounter, SharedHistogram
from .server_metrics import ServerCollector, ServerMetrics, SharedServerMetrics

if TYPE_CHECKING:
    from ...inference import Model

T = TypeVar("T")

BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
)  # fmt: skip
"""Upper bounds of the buckets for the duration of requests, in seconds."""

RUN_BOUNDS = (0.000005, 0.00001, 0.000025, 0.00005, *BOUNDS)
"""Upper bounds of the buckets for the duration of model runs, in seconds."""

_BATCH = 50
"""The number of finished requests that are counted together, if processes do not share their metrics."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

_REQUESTS = (
    "http_server_request_duration_seconds", "Duration of requests, by matched rule.",
    ("http_request_method", "http_route", "http_response_status_code"), BOUNDS,
)  # fmt: skip
_RUNS = ("model_inference_duration_seconds", "Duration of model runs.", ("model", "version"), RUN_BOUNDS)
_NODES = ("model_graph_nodes", "Nodes of a model's graph, by the execution provider that runs them.")
_PHASES = ("http_server_request_phase_seconds", "Seconds that requests spent in each of their phases.", "phase")
_ACTIVE = ("http_server_active_requests", "Requests in progress.")


class Metrics:
    """The metrics of this process. Thread-safe.

    requests: durations of requests
    runs: durations of model runs
    phases: seconds that requests spent in each phase
    active: the requests in progress
    server: the metrics of the server in this process, or None if processes do not share their metrics
    """

    def __init__(self, shared: bool) -> None:
        make = SharedHistogram if shared else LocalHistogram
        self.shared = shared
        self.requests: Histogram = make(*_REQUESTS)
        self.runs: Histogram = make(*_RUNS)
        self.phases: Counter = SharedCounter(*_PHASES) if shared else LocalCounter(*_PHASES)
        # PERF: adding to a set and removing from it need no lock. The metric is the size of the set.
        self.active: set[object] = _SharedActive() if shared else set()
        self.server: SharedServerMetrics | None = None
        self._finished: deque[tuple[str, str, int, float, Times]] = deque()
        self._finished_runs: deque[tuple[Labels, float]] = deque()
        # Held while a batch is removed from the deques and counted, so that `collect` does not miss the batch.
        self._counting = threading.Lock()
        # Other processes read the shared counts, so each request is counted at once.
        self._batch = 1 if shared else _BATCH

    def record(self, method: str, route: str, status: int, seconds: float, phases: Times) -> None:
        """Record a finished request. `phases` has the seconds of each phase.

        If processes share their metrics, the request is counted at once. Otherwise the request is counted in a batch,
        at the latest when the metrics are rendered.
        """
        # PERF: one append for each request and run. After a model run, the code that counts is not in the CPU's caches.
        # In a batch, only the first request has these cache misses.
        self._finished.append((method, route, status, seconds, phases))
        if len(self._finished) >= self._batch:
            self._count_finished()

    def record_run(self, model: tuple[str, str], seconds: float) -> None:
        """Record a run of a model, given as its name and version. Runs are counted in batches, as in `record`."""
        self._finished_runs.append((model, seconds))
        if len(self._finished_runs) >= self._batch:
            self._count_finished()

    def _count_finished(self) -> None:
        with self._counting:
            finished = _pop_all(self._finished)
            self.requests.observe(
                ((method if method in METHODS else "_OTHER", route, status), seconds)
                for method, route, status, seconds, _ in finished
            )
            self.phases.add(phases for *_, phases in finished)
            self.runs.observe(_pop_all(self._finished_runs))

    def collect(self) -> Iterator[Any]:
        """Yield the metrics as prometheus_client metric families. Used only if processes do not share their metrics."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        self._count_finished()
        for counted in (self.requests, self.runs, self.phases):
            if isinstance(counted, LocalHistogram | LocalCounter):
                yield from counted.collect()
        yield GaugeMetricFamily(*_ACTIVE, value=len(self.active))


def _pop_all(items: deque[T]) -> list[T]:
    """Remove and return the current items. Other threads may append items meanwhile, but must not remove items."""
    return [items.popleft() for _ in range(len(items))]


@functools.cache
def process_metrics() -> Metrics:
    """Return the metrics of this process. If `PROMETHEUS_MULTIPROC_DIR` is set, processes share their metrics."""
    metrics = Metrics(shared=_is_shared())
    timing.observe_runs(metrics.record_run)
    return metrics


def share_server_metrics(server: ServerMetrics) -> None:
    """Share the metrics of this process' server with other processes, if `PROMETHEUS_MULTIPROC_DIR` is set."""
    metrics = process_metrics()
    if metrics.shared:
        metrics.server = SharedServerMetrics(server)
        metrics.server.start()


def forget_process(pid: int) -> None:
    """Remove the values of an exited process from the shared gauges, if `PROMETHEUS_MULTIPROC_DIR` is set."""
    if _is_shared():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_shared() -> bool:
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


def render(accept: str, server: ServerMetrics | None, models: Iterable[Model] = ()) -> tuple[bytes, str]:
    """Return the metrics in a format that Prometheus reads, and the content type of this format.

    The value of the Accept header, `accept`, selects the format. The metrics of `server` and `models` are included.
    """
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    return encode(_registry(server, models)), content_type


def _registry(server: ServerMetrics | None, models: Iterable[Model]) -> Any:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    metrics = process_metrics()
    if metrics.shared:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(metrics)
        ProcessCollector(registry=registry)
    if metrics.server is not None:
        metrics.server.update()
    elif server is not None:
        registry.register(ServerCollector(server))
    registry.register(_Nodes(models))
    return registry


class _Nodes:
    """A Prometheus collector of the number of graph nodes, by model and execution provider."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = models

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        family = GaugeMetricFamily(*_NODES, labels=["model", "version", "execution_provider"])
        for model in self._models:
            for provider, count in model.nodes.items():
                family.add_metric([model.name, model.version, provider], count)
        yield family


class _SharedActive(set[object]):
    """The active requests of this process. Other processes read the number of these requests from a file."""

    def __init__(self) -> None:
        from prometheus_client import Gauge

        super().__init__()
        self._gauge = Gauge(*_ACTIVE, registry=None, multiprocess_mode="livesum")

    def add(self, request: object) -> None:
        super().add(request)
        self._gauge.inc()

    def discard(self, request: object) -> None:
        super().discard(request)
        self._gauge.dec()
