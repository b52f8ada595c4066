"""Four times what the server can do: who is answered, how fast, and does health still answer.

``python -m tests.pressure.overload [--seconds 60] [--connections both --out FILE.json]``. First as many clients as
there are places show the capacity; then requests come at four times that rate. Exit code 1 if anything but 200 and 503
was answered, a connection was lost, what was accepted took more than twice as long (p99) as at capacity, or health ever
took 100 ms or more. ``--out`` writes a page beside the result file.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from loadtests.instrument import environment
from loadtests.instrument.progress import Step, run_steps
from loadtests.load.window import percentiles
from tests.pressure.overload_page import KEPT, OWN, report
from tests.pressure.under_test import LoadClient, ServerUnderTest, load, running, serve_command

ROW = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430, "contract_month_to_month": 1, "has_fiber": 1}
TIMES = 4
HEALTH_MS = 100
SECONDS_BETWEEN_PROBES = 0.1


@dataclass
class Outcome:
    """What was seen; times in ms. `capacity` is a rate in answers a second."""

    capacity: float
    p99_at_capacity: float
    rate: float
    answers: dict[str, int]
    lost: dict[str, int]
    accepted: dict[str, float]
    refused: dict[str, float]
    health: dict[str, float]
    slowest_health: float
    client_lag: dict[str, float]
    problems: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Write down what does not hold."""
        others = {status for status in self.answers if status not in ("200", "503")}
        if others or self.lost:
            self.problems.append(f"other answers {sorted(others)}, lost {self.lost}")
        if self.accepted["p99"] > 2 * self.p99_at_capacity:
            self.problems.append("what was accepted took more than twice as long as at capacity")
        if self.slowest_health >= HEALTH_MS:
            self.problems.append(f"health took {self.slowest_health:.0f} ms")


def batch(rows: int, keep_alive: bool = True) -> bytes:
    """A request for so many predictions at once; without ``keep_alive`` on a connection of its own."""
    body = json.dumps({"instances": [ROW] * rows}).encode()
    head = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if not keep_alive:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode() + body


def probe(server: ServerUnderTest, client: LoadClient) -> list[float]:
    """The times of health probes, until ``client`` has ended. RuntimeError if one is not answered by 200."""
    times: list[float] = []
    while client.running:
        status, ms = server.ask("/healthz")
        if status != 200:
            raise RuntimeError(f"health answered {status}")
        times.append(ms)
        time.sleep(SECONDS_BETWEEN_PROBES)
    return times


def measure(server: ServerUnderTest, message: bytes, clients: int, seconds: float) -> Outcome:
    """Find the capacity, then press."""
    with load(server, message, clients=clients, seconds=min(seconds / 4, 10)) as client:
        at_capacity = client.result()
    times = at_capacity["times"].get("200", [])
    if not times:
        raise RuntimeError(f"nothing was answered: {at_capacity['lost']}")
    capacity = len(times) / at_capacity["seconds"]
    with load(server, message, rate=TIMES * capacity, seconds=seconds) as client:
        health = probe(server, client)
        seen = client.result()
    return Outcome(
        capacity=round(capacity, 1),
        p99_at_capacity=percentiles(times)["p99"],
        rate=round(TIMES * capacity, 1),
        answers={status: len(found) for status, found in seen["times"].items()},
        lost=seen["lost"],
        accepted=percentiles(seen["times"].get("200", [])),
        refused=percentiles(seen["times"].get("503", [])),
        health=percentiles(health),
        slowest_health=round(max(health), 1),
        client_lag=percentiles(seen["lags"]),
    )


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the pressure lasts.")
@click.option("--rows", default=500, show_default=True, help="Rows of a request: how much work it is.")
@click.option("--threads", default=2, show_default=True)
@click.option("--waiting", default=8, show_default=True)
@click.option("--framework", default="wsgi_core", show_default=True)
@click.option(
    "--connections", type=click.Choice([KEPT, OWN, "both"]), default=KEPT, show_default=True,
    help="Whether connections are kept, or each request makes its own.",
)  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A result file; a page comes beside it.")
def main(
    seconds: float, rows: int, threads: int, waiting: int, framework: str, connections: str, out: Path | None
) -> None:
    """Press a server with four times its capacity."""
    serve = serve_command(framework=framework, threads=threads, max_waiting=waiting)
    outcomes: dict[str, Outcome] = {}

    def press(kind: str) -> None:
        with running(*serve) as server:
            outcomes[kind] = measure(server, batch(rows, keep_alive=kind == KEPT), threads + waiting, seconds)
        outcomes[kind].judge()

    kinds = [KEPT, OWN] if connections == "both" else [connections]
    steps = [Step(f"connections: {kind}", min(seconds / 4, 10) + seconds + 5, partial(press, kind)) for kind in kinds]
    run_steps(steps, Console(stderr=True), lambda: None)
    results = {
        "seconds": seconds, "rows": rows, "threads": threads, "waiting": waiting, "framework": framework,
        "environment": environment.describe(),
        "outcomes": {kind: asdict(outcome) for kind, outcome in outcomes.items()},
    }  # fmt: skip
    click.echo(json.dumps(results["outcomes"], indent=2))
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        out.with_suffix(".md").write_text(report(results), encoding="utf-8")
    sys.exit(1 if any(outcome.problems for outcome in outcomes.values()) else 0)


if __name__ == "__main__":
    main()
