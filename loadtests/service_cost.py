"""What the service's own code costs on top of the model: ``python -m loadtests.service_cost``.

One churn row, in process, without any framework: its JSON parsed, validated, fed to the model, the answer encoded; and
beside it what observing a request adds: its id, its phases, Server-Timing, the metrics. Every process measures all
parts in turn, in short blocks, so that what disturbs one disturbs all; figures are paired within a round.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from loadtests.instrument import environment
from loadtests.instrument.stats import Estimate, Figure, FloatArray, estimate
from loadtests.rows import churn_rows

PARTS = ("model run", "parse", "validate", "encode", "whole", "observe")
_RUN, _PARSE, _VALIDATE, _ENCODE, _WHOLE, _OBSERVE = range(len(PARTS))
ROWS = 200
# The processor's time: a block that another process interrupts costs no more. On Windows its steps are too long.
_CLOCK = time.perf_counter if sys.platform == "win32" else time.process_time
GOAL_US = 15.0

FIGURES: dict[str, Figure] = {
    "the model's run alone": lambda cost: cost[..., _RUN],
    "parse": lambda cost: cost[..., _PARSE],
    "validate, and the tensor": lambda cost: cost[..., _VALIDATE],
    "encode": lambda cost: cost[..., _ENCODE],
    "all on top of the model": lambda cost: cost[..., _WHOLE] - cost[..., _RUN],
    "observing a request": lambda cost: cost[..., _OBSERVE],
}


def measure(rounds: int) -> FloatArray:
    """The cost of each of `PARTS` in µs for one row: (rounds, parts)."""
    parts = list(_parts())
    for run in parts:
        _block(run)
    return np.array([[_block(run) for run in parts] for _ in range(rounds)])


def _block(run: Callable[[int], object]) -> float:
    """µs a call, over all rows in turn."""
    start = _CLOCK()
    for number in range(ROWS):
        run(number)
    return (_CLOCK() - start) / ROWS * 1e6


def _parts() -> Iterator[Callable[[int], object]]:
    from wsgi_core.inference import strict_json
    from wsgi_core.inference.model import open_session
    from wsgi_core.service import create_app

    app = create_app()
    model = app.extensions["models"].get("churn")
    rows = list(itertools.islice(itertools.cycle(churn_rows(ROWS).rows), ROWS))
    bodies = [json.dumps(row).encode() for row in rows]
    feeds = [{model.input_name: model.schema.read(row)[0]} for row in rows]
    answers = [model.predict(row) for row in rows]
    session, names, dumps = open_session(model.path), [model.output_name], app.json.dumps
    yield lambda number: session.run(names, feeds[number])
    yield lambda number: strict_json.loads(bodies[number])
    yield lambda number: model.schema.read(rows[number])
    yield lambda number: dumps(answers[number])
    yield lambda number: dumps(model.predict(strict_json.loads(bodies[number])))
    yield _observe


def _observe(number: int) -> None:
    """What the hooks of a request do around it."""
    from wsgi_core.shared.observability import begin_request, observed_request

    begin_request(_ENVIRON)
    if observed := observed_request():
        observed.times.update(_TIMES)
        observed.answered(200, "/predict")
        observed.leave()


_ENVIRON = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict"}
_TIMES = {"parse": 1e-6, "validate": 2e-6, "infer": 5e-6, "encode": 2e-6}


def run_processes(processes: int, rounds: int) -> list[FloatArray]:
    """The measurements of so many processes, one after the other."""
    command = [sys.executable, "-m", "loadtests.service_cost", "--worker", "--rounds", str(rounds)]
    outputs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(processes)]
    return [np.array(json.loads(done.stdout)) for done in outputs]


def summarise(measured: list[FloatArray]) -> dict[str, Estimate]:
    """Each of `FIGURES` in µs."""
    return dict(zip(FIGURES, estimate(measured, list(FIGURES.values())), strict=True))


def _print(figures: dict[str, Estimate]) -> None:
    table = Table(title="One churn row, µs", title_justify="left")
    for column in ("", "µs", "95 % interval"):
        table.add_column(column, justify="right" if column else "left")
    for name, figure in figures.items():
        table.add_row(name, f"{figure.value:.2f}", f"{figure.low:.2f} to {figure.high:.2f}")
    Console().print(table)


def _as_json(figures: dict[str, Estimate]) -> dict[str, Any]:
    return {
        "goal_us": GOAL_US,
        "figures_us": {name: figure._asdict() for name, figure in figures.items()},
        "environment": environment.describe(),
    }


@click.command()
@click.option("--processes", default=5, show_default=True, type=click.IntRange(2, 100))
@click.option("--rounds", default=150, show_default=True, type=click.IntRange(5, 100_000), help="In each process.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures there, as JSON.")
@click.option("--worker", is_flag=True, hidden=True)
def main(processes: int, rounds: int, out: Path | None, worker: bool) -> None:
    """Measure what the service's own code costs; exit code 1 if it is over the goal."""
    if worker:
        click.echo(json.dumps(measure(rounds).tolist()))
        return
    figures = summarise(run_processes(processes, rounds))
    _print(figures)
    if out:
        out.write_text(json.dumps(_as_json(figures), indent=2) + "\n", encoding="utf-8")
    if figures["all on top of the model"].value > GOAL_US:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
