"""One measured window inside of Locust's process: from the end of the warm-up to its last second.

``served.py`` starts Locust with the locustfile and asks for a window by an environment variable. What is counted
is what happened between two instants: requests, failures, latencies, and the CPU time of server and generator.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

VARIABLE = "LOADTESTS_WINDOW"
PERCENTILES = (50, 90, 95, 99, 99.9)


class Window:
    """The counts between ``open`` and ``close``."""

    def __init__(self, server_pid: int) -> None:
        self.server = psutil.Process(server_pid)
        self.latencies = array("d")
        self.failures = 0
        self.is_open = False

    def count(self, response_time: float, exception: BaseException | None, **_: Any) -> None:
        """Locust's event ``request``: one answer, or one failure, after ``response_time`` ms."""
        if self.is_open:
            self.latencies.append(response_time)
            self.failures += exception is not None

    def open(self) -> None:
        """Start counting."""
        self.server_cpu, self.own_cpu = process_cpu(self.server), time.process_time()
        self.started = time.perf_counter()
        self.is_open = True

    def close(self) -> dict[str, Any]:
        """Stop counting: the part of a ``results.Run`` that is known here."""
        self.is_open = False
        seconds = time.perf_counter() - self.started
        return {
            "seconds": seconds,
            "requests": len(self.latencies),
            "failures": self.failures,
            "server_cpu_seconds": process_cpu(self.server) - self.server_cpu,
            "generator_cpu_seconds": time.process_time() - self.own_cpu,
            "latencies_ms": percentiles(self.latencies),
        }


def rows() -> list[dict[str, Any]]:
    """The rows that the run has read already; none when the locustfile runs alone."""
    if VARIABLE not in os.environ:
        return []
    path = Path(json.loads(os.environ[VARIABLE])["rows"])
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def process_cpu(process: psutil.Process) -> float:
    """Seconds of CPU time, user and system, that a process and its children have used."""
    family = [process, *process.children(recursive=True)]
    return float(sum(times.user + times.system for times in (member.cpu_times() for member in family)))


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """``{"p50": ms, ...}``: the value that so many percent of the requests did not exceed."""
    if not latencies:
        return {}
    ordered = sorted(latencies)
    last = len(ordered) - 1
    return {f"p{share:g}": round(ordered[min(last, int(len(ordered) * share / 100))], 4) for share in PERCENTILES}


def measure() -> None:
    """Have Locust warm up, measure one window, write it, and end. Called by the locustfile when it is asked for."""
    import gevent
    from locust import events

    wanted = json.loads(os.environ[VARIABLE])
    window = Window(wanted["server_pid"])
    events.request.add_listener(window.count)  # type: ignore[no-untyped-call]

    def run(runner: Any) -> None:
        gevent.sleep(wanted["warm_up"])
        window.open()
        gevent.sleep(wanted["seconds"])
        Path(wanted["out"]).write_text(json.dumps(window.close()), encoding="utf-8")
        runner.quit()

    @events.test_start.add_listener  # type: ignore[untyped-decorator]
    def start(environment: Any, **_: Any) -> None:
        gevent.spawn(run, environment.runner)
