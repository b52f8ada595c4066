"""Send a server more requests than it can handle. Measure how many are answered, how fast, and how fast /healthz is.

``python -m tests.pressure.overload [--seconds 60] [--out FILE.json]``.

In closed loops, 100, 400 and 900 clients request a prediction for one row, and each client waits for its response
before it sends the next request. In open loops, requests with many rows are sent at multiples of the server's capacity,
without waiting for responses. At four times the capacity, one loop keeps its connections, and another loop opens a new
connection for each request.

The exit code is 1 if a closed loop gets another status than 200 or loses a connection, or if one of its requests takes
more than three times the median. It is also 1 if an open loop gets another status than 200 or 503 with Retry-After, or
loses a connection; if an accepted request takes longer than `max_wait` and `OWN_TIME` together; or if a probe of
/healthz takes 100 ms or more. ``--out`` writes the results, and a page beside them.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from loadtests.instrument import environment
from loadtests.instrument.progress import Step, run_steps
from loadtests.load.window import percentiles
from tests.pressure.overload_page import KEPT, OWN, chart, report
from tests.pressure.under_test import LoadClient, ServerUnderTest, load, running, serve_command
from wsgi_core.shared.settings import Settings

ROW = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430, "contract_month_to_month": 1, "has_fiber": 1}
CLIENTS = (100, 400, 900)
MULTIPLES = (0.5, 0.8, 1.0, 1.5, 2.0)
LONGEST_MULTIPLE = 4.0
HEALTH_MS = 100
SECONDS_BETWEEN_PROBES = 0.1
MAX_WAIT = Settings().max_wait
# Seconds allowed for the work on an accepted request, and for the client to read the response.
OWN_TIME = 1.0


@dataclass
class Closed:
    """The results of one closed loop. Durations are in ms."""

    clients: int
    rate: float
    answers: dict[str, int]
    lost: dict[str, int]
    median: float
    slowest: float
    problems: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Add each failed check to `problems`."""
        if set(self.answers) != {"200"} or self.lost:
            self.problems.append(f"{self.clients} clients: statuses {self.answers}, lost {self.lost}")
        if self.slowest > 3 * self.median:
            self.problems.append(
                f"{self.clients} clients: slowest response {self.slowest:.0f} ms, median {self.median:.0f} ms"
            )


@dataclass
class Open:
    """The results of one open loop. `times` is its rate as a multiple of the server's capacity. Durations are in ms."""

    times: float
    connections: str
    rate: float
    answers: dict[str, int]
    lost: dict[str, int]
    retry_after: dict[str, int]
    accepted: dict[str, float]
    slowest: float
    refused: dict[str, float]
    health: dict[str, float]
    slowest_health: float
    client_lag: dict[str, float]
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name of this loop for an entry in `problems`."""
        return f"{self.times:g} times, connections: {self.connections}"

    def judge(self) -> None:
        """Add each failed check to `problems`."""
        others = {status for status in self.answers if status not in ("200", "503")}
        if others or self.lost:
            self.problems.append(f"{self.name}: other statuses {sorted(others)}, lost {self.lost}")
        if not all(value.isdecimal() and int(value) >= 1 for value in self.retry_after):
            self.problems.append(f"{self.name}: Retry-After {sorted(self.retry_after)}")
        if self.slowest > (MAX_WAIT + OWN_TIME) * 1e3:
            self.problems.append(f"{self.name}: an accepted request took {self.slowest:.0f} ms")
        if self.slowest_health >= HEALTH_MS:
            self.problems.append(f"{self.name}: health took {self.slowest_health:.0f} ms")


def batch(rows: int, keep_alive: bool = True) -> bytes:
    """Return a request for `rows` predictions. If `keep_alive` is false, it asks the server to close the connection."""
    body = json.dumps({"instances": [ROW] * rows}).encode()
    head = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if not keep_alive:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode() + body


def probe(server: ServerUnderTest, client: LoadClient) -> list[float]:
    """Request /healthz until `client` has ended, and return the response times in ms.

    Raises RuntimeError if a response is not a 200.
    """
    times: list[float] = []
    while client.running:
        status, ms = server.ask("/healthz")
        if status != 200:
            raise RuntimeError(f"health answered {status}")
        times.append(ms)
        time.sleep(SECONDS_BETWEEN_PROBES)
    return times


def measure_closed(server: ServerUnderTest, message: bytes, clients: int, seconds: float) -> Closed:
    """Run a closed loop of `clients` clients, and return its results. Raises RuntimeError if there is no 200."""
    with load(server, message, clients=clients, seconds=seconds) as client:
        seen = client.result(seconds + 60)
    times = seen["times"].get("200", [])
    if not times:
        raise RuntimeError(f"no request was answered: {seen['lost']}")
    outcome = Closed(
        clients, round(len(times) / seen["seconds"], 1), _counted(seen), seen["lost"],
        percentiles(times)["p50"], round(max(times), 1),
    )  # fmt: skip
    outcome.judge()
    return outcome


def measure_open(server: ServerUnderTest, rows: int, times: float, kind: str, capacity: float, seconds: float) -> Open:
    """Run an open loop at the rate `times` * `capacity`, and probe /healthz meanwhile. Return the results."""
    rate = times * capacity
    with load(server, batch(rows, keep_alive=kind == KEPT), rate=rate, seconds=seconds) as client:
        health = probe(server, client)
        seen = client.result(seconds + 60)
    accepted = seen["times"].get("200", [])
    outcome = Open(
        times, kind, round(rate, 1), _counted(seen), seen["lost"], seen["retry_after"], percentiles(accepted),
        round(max(accepted, default=0.0), 1), percentiles(seen["times"].get("503", [])), percentiles(health),
        round(max(health), 1), percentiles(seen["lags"]),
    )  # fmt: skip
    outcome.judge()
    return outcome


def _counted(seen: dict[str, Any]) -> dict[str, int]:
    return {status: len(found) for status, found in seen["times"].items()}


def measure(seconds: float, rows: int, framework: str) -> dict[str, Any]:
    """Run every loop, each on a new server, and return all results."""
    closed: list[Closed] = []
    opened: list[Open] = []
    capacity: list[float] = []
    serve = serve_command(framework=framework)

    def find_capacity() -> None:
        with running(*serve) as server:
            capacity.append(measure_closed(server, batch(rows), 16, seconds / 4).rate)

    def add_closed(clients: int) -> None:
        with running(*serve) as server:
            closed.append(measure_closed(server, batch(1), clients, seconds / 2))

    def add_open(times: float, kind: str, length: float) -> None:
        with running(*serve) as server:
            opened.append(measure_open(server, rows, times, kind, capacity[0], length))

    steps = [Step(f"{clients} clients", seconds / 2 + 5, partial(add_closed, clients)) for clients in CLIENTS]
    steps.append(Step("the server's capacity", seconds / 4 + 5, find_capacity))
    steps += [
        Step(f"{times:g} times", seconds / 4 + 5, partial(add_open, times, KEPT, seconds / 4)) for times in MULTIPLES
    ]
    steps += [
        Step(f"{LONGEST_MULTIPLE:g} times, {kind}", seconds + 5, partial(add_open, LONGEST_MULTIPLE, kind, seconds))
        for kind in (KEPT, OWN)
    ]
    run_steps(steps, Console(stderr=True), lambda: None)
    return {
        "seconds": seconds, "rows": rows, "framework": framework, "max_wait": MAX_WAIT, "capacity": capacity[0],
        "environment": environment.describe(),
        "closed": [asdict(outcome) for outcome in closed], "open": [asdict(outcome) for outcome in opened],
    }  # fmt: skip


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Length of the loops at four times the capacity.")
@click.option("--rows", default=500, show_default=True, help="Rows in each request of the open loops.")
@click.option("--framework", default="wsgi_core", show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A result file; a page is written beside it."
)
def main(seconds: float, rows: int, framework: str, out: Path | None) -> None:
    """Send a server more requests than it can handle."""
    results = measure(seconds, rows, framework)
    problems = [problem for outcome in [*results["closed"], *results["open"]] for problem in outcome["problems"]]
    click.echo(json.dumps({"capacity": results["capacity"], "problems": problems}, indent=2))
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        out.with_suffix(".md").write_text(report(results), encoding="utf-8")
        out.with_suffix(".svg").write_text(chart(results).svg(), encoding="utf-8", newline="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
