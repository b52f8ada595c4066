"""The result file: everything that was measured, raw, and what it was measured on.

``results.json`` holds the samples and no verdicts that could not be computed again from them; ``analysis.py``
does so each time. It is written after every step, so an interrupted run leaves what it had.

``experiments``
    In process. Each has ``contenders`` and ``processes``; a process has ``blocks`` of [round, contender, requests,
    CPU ns, wall ns]. Contender 0 is the driver alone; ``drivers`` names the contender that takes its place for those
    that another driver runs (ASGI). In a ``ladder`` each contender is the one before it and one step more.
``loads``
    Served, one entry for each load and ``mode``: ``"rate"`` (a fixed moderate rate, for the server's CPU time for a
    request) and ``"saturation"`` (as many requests as it takes, for the rate and what bounded it).
``latencies``
    Served, at several rates: ``runs`` with ``generator`` ``"open loop"`` count from the instant at which a request
    was to start, those with ``"locust"`` are Locust's closed loop at the same rate.
``skipped``
    What was not measured on this machine, and why.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtests.instrument.experiment import MAIN, Experiment

FORMAT = 2


class ResultError(Exception):
    """A file that is not a result file of this version. The message is one line that says why."""


class Sample(NamedTuple):
    """One timed block. Contender 0 is the driver alone; the others follow in the order of their names."""

    round: int
    contender: int
    requests: int
    cpu_ns: int
    wall_ns: int


class Record(BaseModel):
    """A part of the result file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    def write(self, path: Path) -> None:
        """Write the file atomically: if the process dies while writing, the previous file is kept."""
        beside = path.with_suffix(".part")
        beside.write_text(self.model_dump_json(), encoding="utf-8")
        os.replace(beside, path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the contents of ``path``. Raises ``ResultError`` if the file is not a valid result file."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ResultError(f"{path}: {error.strerror}") from error
        except (ValidationError, UnicodeDecodeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(map(str, first["loc"]))
            raise ResultError(f"{path}: not a result file of this version: {where}: {first['msg']}") from error


class Process(Record):
    """The blocks that one process measured, in the order in which they ran."""

    hash_seed: int
    clock: str
    clock_step_ns: int
    blocks: list[Sample]


class ExperimentResult(Record):
    """One experiment: its contenders, and the samples of each process."""

    key: str
    title: str
    contenders: list[str]
    reference: str
    ladder: bool
    group: str = MAIN
    drivers: dict[str, str] = {}
    processes: list[Process] = []

    def column(self, name: str) -> int:
        """Return the column of the contender ``name`` in the samples. Column 0 is the driver."""
        return self.contenders.index(name) + 1


def empty_result(experiment: Experiment) -> ExperimentResult:
    """Return an entry for the samples of ``experiment``."""
    return ExperimentResult(
        key=experiment.key,
        title=experiment.title,
        contenders=[contender.name for contender in experiment.contenders],
        reference=experiment.reference,
        ladder=experiment.ladder,
        group=experiment.group,
        drivers=experiment.drivers,
    )


class Run(Record):
    """One service under load for one window. Times are in seconds unless the name says otherwise.

    ``generator_cpu_seconds`` is that of the busiest generator process, because one saturated process is enough to limit
    a run.
    """

    service: str
    pair: int
    position: int
    seconds: float
    requests: int
    failures: int
    server_cpu_seconds: float
    generator_cpu_seconds: float
    latencies_ms: dict[str, float]
    latency_mean_ms: float = 0.0

    @property
    def requests_per_second(self) -> float:
        """Responses per second in the window."""
        return self.requests / self.seconds

    @property
    def server_cpu_us(self) -> float:
        """CPU time of the server process per request, in µs."""
        return self.server_cpu_seconds * 1e6 / self.requests

    @property
    def generator_share(self) -> float:
        """The share of one core that the load generator used. Near 1, the generator limits the run."""
        return self.generator_cpu_seconds / self.seconds

    @property
    def in_flight(self) -> float:
        """The mean number of requests in flight, by Little's law: rate times mean latency."""
        return self.requests_per_second * self.latency_mean_ms / 1000


class LoadResult(Record):
    """Services that are loaded in turn, at ``rate`` requests a second, or at saturation if ``rate`` is 0."""

    key: str
    title: str
    generator: str
    services: list[str]
    users: int
    server_threads: int
    mode: Literal["rate", "saturation"] = "saturation"
    server: str = "waitress"
    rate: float = 0.0
    generator_processes: int = 1
    runs: list[Run] = []


class LatencyRun(Run):
    """One service for one window at ``rate`` requests a second.

    ``lag_ms`` has percentiles of how late the open-loop generator sent a request although a connection was free. A
    delay that is not the generator's fault is part of the latencies.
    """

    generator: Literal["open loop", "locust"]
    rate: float
    lag_ms: dict[str, float] = {}


class LatencyResult(Record):
    """Services at several rates, equal for all; ``shares`` are the rates as shares of the slowest service's maximum."""

    key: str
    title: str
    server: str
    services: list[str]
    server_threads: int
    users: int
    connections: int
    shares: list[float]
    rates: list[float] = []
    runs: list[LatencyRun] = []


class Import(Record):
    """A new interpreter that imported ``module`` (or nothing): wall time, CPU time and total memory."""

    module: str
    round: int
    wall_ms: float
    cpu_ms: float
    memory_kb: float


class RunRecord(Record):
    """What the files of all runs have: when and where it was measured, and the steps that are done."""

    format: int
    partial: bool = True
    started: str
    seconds: float = 0.0
    planned_seconds: float = 0.0
    left_out: int = 0
    environment: dict[str, Any]
    environment_after: dict[str, Any] = {}
    done: list[str] = []


class Results(RunRecord):
    """The whole file."""

    format: int = FORMAT
    study: str
    title: str
    quick: bool
    command: str
    rows: str
    experiments: list[ExperimentResult] = []
    loads: list[LoadResult] = []
    latencies: list[LatencyResult] = []
    skipped: list[str] = []
    imports: list[Import] = []
    notes: list[str] = []
