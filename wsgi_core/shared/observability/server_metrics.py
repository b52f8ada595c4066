"""The server's own metrics: refused requests, connections by state, queue, and buffered bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

_REJECTED = ("http_server_rejected_requests", "Requests that the server has refused.")
_CONNECTIONS = (
    "http_server_connections",
    "Open connections by state; blocked: a stream waits for its client; sending: a client has yet to read a response.",
)
_STATES = ("idle", "reading", "waiting", "running", "streaming", "blocked", "sending", "lingering")
_GAUGES = {
    "waiting_requests": "Requests that wait for a thread.",
    "expected_wait_seconds": "Estimated seconds that a new request waits for a thread.",
    "unsent_bytes": "Bytes of responses that clients have not read yet.",
    "body_memory_bytes": "Bytes of request bodies in memory.",
    "body_disk_bytes": "Bytes of request bodies in temporary files.",
}
_REASONS = ("overloaded", "client", "expired")
# Seconds between two updates of the files that the other processes read.
_INTERVAL = 1.0


class ServerMetrics(Protocol):
    """The metrics of a server. Thread-safe."""

    @property
    def refused(self) -> Mapping[Any, int]:
        """Return the number of requests that the server has refused since its start, by reason."""

    def connections(self) -> Mapping[str, int]:
        """Return the number of connections in each state. A state without connections may be missing."""

    def gauges(self) -> Mapping[str, float]:
        """Return the current values of further metrics by name, such as `waiting_requests`."""


class ServerCollector:
    """A Prometheus collector of a server's metrics, used if processes do not share their metrics."""

    def __init__(self, server: ServerMetrics) -> None:
        self._server = server

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        family = CounterMetricFamily(*_REJECTED, labels=["reason"])
        for reason in _REASONS:
            family.add_metric([reason], self._server.refused.get(reason, 0))
        yield family
        states = GaugeMetricFamily(*_CONNECTIONS, labels=["state"])
        counted = self._server.connections()
        for state in _STATES:
            states.add_metric([state], counted.get(state, 0))
        yield states
        for name, value in self._server.gauges().items():
            yield GaugeMetricFamily(f"http_server_{name}", _GAUGES[name], value=value)


class SharedServerMetrics:
    """The metrics of this process' server, in files that the other processes read.

    When the metrics are rendered, the values of all processes are added. Only the expected wait is the maximum of all
    processes.
    """

    def __init__(self, server: ServerMetrics) -> None:
        from prometheus_client import Counter, Gauge

        self._server = server
        self._lock = threading.Lock()
        self._counted: dict[str, int] = {}
        self._refused = Counter(*_REJECTED, ["reason"], registry=None)
        self._states = Gauge(*_CONNECTIONS, ["state"], registry=None, multiprocess_mode="livesum")
        self._gauges = {
            name: Gauge(
                f"http_server_{name}", text, registry=None,
                multiprocess_mode="livemax" if name == "expected_wait_seconds" else "livesum",
            )
            for name, text in _GAUGES.items()
        }  # fmt: skip

    def start(self) -> None:
        """Start a thread that updates the files every second, because another process may read them at any time."""
        threading.Thread(target=self._repeat, name="metrics", daemon=True).start()

    def update(self) -> None:
        """Write the current values to the files. Thread-safe."""
        with self._lock:
            for reason in _REASONS:
                refused = self._server.refused.get(reason, 0)
                self._refused.labels(reason).inc(refused - self._counted.get(reason, 0))
                self._counted[reason] = refused
            counted = self._server.connections()
            for state in _STATES:
                self._states.labels(state).set(counted.get(state, 0))
            for name, value in self._server.gauges().items():
                self._gauges[name].set(value)

    def _repeat(self) -> None:
        while True:
            self.update()
            time.sleep(_INTERVAL)
