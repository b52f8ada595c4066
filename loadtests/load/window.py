"""Count requests in windows. A *window* is a period of measurement that follows a warm-up.

Every load generator uses the class ``Window``. ``install`` and the functions below ``install`` are for Locust.
``served.py`` starts Locust, and says in an environment variable which windows to measure. If Locust runs as a master,
each of its workers counts its own requests. Messages of the master begin and end a window.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

VARIABLE = "LOADTESTS_WINDOW"
PERCENTILES = (50, 90, 95, 99, 99.9)
# The master's messages to its workers, and the workers' replies.
PACE, OPEN, CLOSE, REPLY = "loadtests_pace", "loadtests_open", "loadtests_close", "loadtests_reply"
# How many seconds a master waits for the replies.
REPLY_SECONDS = 20.0


class Window:
    """The counts, latencies and CPU times of one window, from ``open`` to ``close``.

    If ``server_pid`` is None, the server's CPU time is 0.
    """

    def __init__(self, server_pid: int | None = None) -> None:
        self.server = psutil.Process(server_pid) if server_pid else None
        self.is_open = False

    def count(self, response_time: float, exception: BaseException | None, **_: Any) -> None:
        """Count one response or failure if the window is open. ``response_time`` is in ms (handler of Locust's event
        ``request``).
        """
        if self.is_open:
            self.latencies.append(response_time)
            self.failures += exception is not None

    def open(self) -> None:
        self.latencies = array("d")
        self.failures = 0
        self.server_cpu, self.own_cpu = process_cpu(self.server), time.process_time()
        self.started = time.perf_counter()
        self.is_open = True

    def close(self) -> dict[str, Any]:
        """Stop counting. Return the counts, by the names of the fields of ``results.Run``."""
        self.is_open = False
        seconds = time.perf_counter() - self.started
        server_cpu, own_cpu = process_cpu(self.server) - self.server_cpu, time.process_time() - self.own_cpu
        return {
            "seconds": seconds,
            "failures": self.failures,
            "server_cpu_seconds": server_cpu,
            "generator_cpu_seconds": own_cpu,
            **counts(self.latencies),
        }


def merged(counted: Sequence[dict[str, Any]], own_cpu: float) -> dict[str, Any]:
    """Return the counts of several workers as one window.

    The CPU time is the CPU time of the busiest process. ``own_cpu`` is the CPU time of this process in seconds.
    """
    latencies = [value for part in counted for value in part["latencies"]]
    return {
        "seconds": sum(part["seconds"] for part in counted) / len(counted),
        "failures": sum(part["failures"] for part in counted),
        "generator_cpu_seconds": max(own_cpu, *(part["generator_cpu_seconds"] for part in counted)),
        **counts(latencies),
    }


def rows() -> list[dict[str, Any]]:
    """Return the rows that ``served.py`` has written to a file, or an empty list if the locustfile runs alone."""
    if VARIABLE not in os.environ:
        return []
    path = Path(json.loads(os.environ[VARIABLE])["rows"])
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def process_cpu(process: psutil.Process | None) -> float:
    """Return the CPU seconds (user and system) of a process and its child processes, or 0 if ``process`` is None."""
    family = [process, *process.children(recursive=True)] if process else []
    return float(sum(times.user + times.system for times in (member.cpu_times() for member in family)))


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """Return the percentiles ``PERCENTILES`` in ms, such as ``{"p50": 1.2}``.

    Without latencies, return an empty dict.
    """
    if not latencies:
        return {}
    ordered = sorted(latencies)
    last = len(ordered) - 1
    return {f"p{share:g}": round(ordered[min(last, int(len(ordered) * share / 100))], 4) for share in PERCENTILES}


def counts(latencies: Sequence[float]) -> dict[str, Any]:
    """Return the fields of a ``results.Run`` that depend only on the latencies. Without latencies, the mean is 0."""
    mean = sum(latencies) / len(latencies) if latencies else 0.0
    return {"requests": len(latencies), "latencies_ms": percentiles(latencies), "latency_mean_ms": mean}


def install(set_pace: Callable[[float], None]) -> None:
    """Make this Locust process measure the windows that the environment variable LOADTESTS_WINDOW describes.

    Without the variable, no window is measured. A Locust worker only counts requests for its master. ``set_pace`` sets
    how many requests a second each user sends; 0 means no pause between requests.
    """
    from locust import events
    from locust.runners import MasterRunner, WorkerRunner

    @events.init.add_listener  # type: ignore[untyped-decorator]
    def init(environment: Any, runner: Any, **_: Any) -> None:
        if runner is not None and not isinstance(runner, MasterRunner):
            _count(runner, set_pace)
        if VARIABLE in os.environ and not isinstance(runner, WorkerRunner):
            _measure_when_started(runner, json.loads(os.environ[VARIABLE]))


def _count(runner: Any, set_pace: Callable[[float], None]) -> None:
    """Count the requests of this Locust process, and handle the messages that control its windows.

    The master sends the messages. A Locust process without a master sends the messages to itself.
    """
    from locust import events

    window = Window()
    events.request.add_listener(window.count)  # type: ignore[no-untyped-call]

    def opened(_: object) -> None:
        window.open()

    def closed(_: object) -> dict[str, Any]:
        counted = window.close()
        kept = {key: counted[key] for key in ("seconds", "failures", "generator_cpu_seconds")}
        return {**kept, "latencies": [round(value, 4) for value in window.latencies]}

    for message, does in ((PACE, set_pace), (OPEN, opened), (CLOSE, closed)):
        runner.register_message(message, partial(_reply, runner, does))


def _reply(runner: Any, does: Callable[[Any], Any], environment: Any, msg: Any, **_: Any) -> None:
    runner.send_message(REPLY, does(msg.data))


def _measure_when_started(runner: Any, wanted: dict[str, Any]) -> None:
    import gevent
    from locust import events

    generators = Generators(runner, wanted["generators"])
    # When a worker starts, the master's options override those of the worker.
    runner.environment.parsed_options.rate = wanted["stages"][0]["rate"] / wanted["users"]

    def run() -> None:
        windows = [_measure(generators, wanted, stage) for stage in wanted["stages"]]
        Path(wanted["out"]).write_text(json.dumps(windows), encoding="utf-8")
        runner.quit()

    @events.test_start.add_listener  # type: ignore[untyped-decorator]
    def start(**_: Any) -> None:
        gevent.spawn(run)


class Generators:
    """The processes that send requests: the workers of a Locust master or, without workers, this process."""

    def __init__(self, runner: Any, count: int) -> None:
        self.runner, self.count = runner, count
        self.replies: list[Any] = []
        runner.register_message(REPLY, lambda environment, msg, **_: self.replies.append(msg.data))

    def send(self, message: str, data: Any = None) -> list[Any]:
        """Send a message to all generators, and return their replies.

        Raises ``TimeoutError`` if a reply is missing after ``REPLY_SECONDS``.
        """
        import gevent

        self.replies.clear()
        self.runner.send_message(message, data)
        ends = time.monotonic() + REPLY_SECONDS
        while len(self.replies) < self.count:
            if time.monotonic() > ends:
                found = f"only {len(self.replies)} of {self.count} load generators have replied"
                raise TimeoutError(f"{found} within {REPLY_SECONDS:.0f} s")
            gevent.sleep(0.005)
        return list(self.replies)


def _measure(generators: Generators, wanted: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    """Measure one window at the rate of ``stage``: tell the generators when to count, and merge their counts.

    ``wanted`` is the decoded value of the environment variable LOADTESTS_WINDOW.
    """
    import gevent

    whole = Window(wanted["server_pid"])
    generators.send(PACE, stage["rate"] / wanted["users"])
    gevent.sleep(stage["warm_up"])
    generators.send(OPEN)
    whole.open()
    gevent.sleep(stage["seconds"])
    measured = whole.close()
    counted = generators.send(CLOSE)
    return {**measured, **merged(counted, measured["generator_cpu_seconds"])}
