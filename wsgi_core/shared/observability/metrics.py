"""The numbers of this process, or of all that share `PROMETHEUS_MULTIPROC_DIR`, as Prometheus reads them.

Requests are counted by the rule that matched, never by the path that was asked for, and by methods that are known:
nothing that a client sends makes a new time series. The names are those of OpenTelemetry where it has one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ...inference import timing
from .distribution import Distribution, LocalDistribution, LocalTotals, SharedDistribution, SharedTotals, Totals

if TYPE_CHECKING:
    from ...inference import Model

BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
)  # fmt: skip
"""The buckets of a request, in seconds: a small model's is over before the usual first bucket of 5 ms ends."""

RUN_BOUNDS = (0.000005, 0.00001, 0.000025, 0.00005, *BOUNDS)
"""The buckets of a model run."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

_REQUESTS = (
    "http_server_request_duration_seconds", "How long requests took, by the rule that matched.",
    ("http_request_method", "http_route", "http_response_status_code"), BOUNDS,
)  # fmt: skip
_RUNS = ("model_inference_duration_seconds", "How long model runs took.", ("model", "version"), RUN_BOUNDS)
_NODES = ("model_graph_nodes", "Nodes of a model's graph, by the execution provider that runs them.")
_PHASES = ("http_server_request_phase_seconds", "Seconds that requests spent in each of their phases.", "phase")
_REJECTED = ("http_server_rejected_requests", "Requests that got no slot.")
_CONNECTIONS = (
    "http_server_connections",
    "Open connections by state; blocked: a stream that waits for its client, sending: a complete response that does.",
)
_STATES = ("idle", "reading", "waiting", "running", "streaming", "blocked", "sending", "lingering")
_GAUGES = {
    "waiting_requests": "Requests that wait for a thread.",
    "expected_wait_seconds": "Seconds that a request which comes now would wait for a thread.",
    "unsent_bytes": "Bytes of responses that clients have not taken yet.",
    "body_memory_bytes": "Bytes of request bodies in memory.",
    "body_disk_bytes": "Bytes of request bodies in temporary files.",
}
_ACTIVE = ("http_server_active_requests", "Requests that are answered at this moment.")


class ServerFigures(Protocol):
    """What a server says about itself. Any thread may ask."""

    @property
    def refused(self) -> Mapping[Any, int]:
        """Return how many requests it refused since the start, by reason."""

    def connections(self) -> Mapping[str, int]:
        """Return how many connections are in each state."""

    def gauges(self) -> Mapping[str, float]:
        """Return further figures of this moment, by the end of their name."""


class Metrics:
    """The metrics of this process; any thread may add to them.

    requests, and the sums of their phases; runs of the models; active: the requests of this moment
    """

    def __init__(self, shared: bool) -> None:
        make = SharedDistribution if shared else LocalDistribution
        self.shared = shared
        self.requests: Distribution = make(*_REQUESTS)
        self.runs: Distribution = make(*_RUNS)
        self.phases: Totals = SharedTotals(*_PHASES) if shared else LocalTotals(*_PHASES)
        # PERF: a set takes and gives without a lock of its own; its size is the number that is asked for.
        self.active: set[object] = _SharedActive() if shared else set()

    def ended(self, method: str, route: str, status: int, seconds: float, phases: timing.Times) -> None:
        """Count a request that is over."""
        self.requests.observe((method if method in METHODS else "_OTHER", route, status), seconds)
        self.phases.add(phases)

    def collect(self) -> Iterator[Any]:
        """Yield all of them in prometheus_client's words, of this process alone."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        for counted in (self.requests, self.runs, self.phases):
            if isinstance(counted, LocalDistribution | LocalTotals):
                yield from counted.collect()
        yield GaugeMetricFamily(*_ACTIVE, value=len(self.active))


@functools.cache
def process_metrics() -> Metrics:
    """Return this process's metrics. Processes that share the folder `PROMETHEUS_MULTIPROC_DIR` count together."""
    metrics = Metrics(shared=_is_shared())
    timing.observe_runs(metrics.runs.observe)
    return metrics


def forget_process(pid: int) -> None:
    """Remove the active requests of an ended process that counted together with this one."""
    if _is_shared():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_shared() -> bool:
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


def render(accept: str, server: ServerFigures | None, models: Iterable[Model] = ()) -> tuple[bytes, str]:
    """Return the page that a Prometheus server asks for and its content type, in the form that it accepts."""
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    return encode(_registry(server, models)), content_type


def _registry(server: ServerFigures | None, models: Iterable[Model]) -> Any:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    metrics = process_metrics()
    if metrics.shared:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(metrics)
        ProcessCollector(registry=registry)
    if server is not None:
        registry.register(_Server(server))
    registry.register(_Nodes(models))
    return registry


class _Nodes:
    """The execution providers on which each model runs."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = models

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        family = GaugeMetricFamily(*_NODES, labels=["model", "version", "execution_provider"])
        for model in self._models:
            for provider, count in model.nodes.items():
                family.add_metric([model.name, model.version, provider], count)
        yield family


class _Server:
    """The figures of the server: refused requests, connections by state, bytes that it holds."""

    def __init__(self, server: ServerFigures) -> None:
        self._server = server

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        family = CounterMetricFamily(*_REJECTED, labels=["reason"])
        for reason in ("overloaded", "client", "expired"):
            family.add_metric([reason], self._server.refused.get(reason, 0))
        yield family
        states = GaugeMetricFamily(*_CONNECTIONS, labels=["state"])
        counted = self._server.connections()
        for state in _STATES:
            states.add_metric([state], counted.get(state, 0))
        yield states
        for name, value in self._server.gauges().items():
            yield GaugeMetricFamily(f"http_server_{name}", _GAUGES[name], value=value)


class _SharedActive(set[object]):
    """The active requests of this process, whose number is in a file that the other processes read."""

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
