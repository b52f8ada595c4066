"""The result file ``results.json``: all samples of a run, and the conditions of the measurement.

A *contender* is an application in an experiment. A *load* is a measurement behind a server. The file has no verdicts:
``report/analysis.py`` computes them. The main parts of the file are:

``experiments``
    Measured in process. A process has ``blocks`` of [round, contender, requests, CPU ns, wall ns]. Contender 0 is the
    WSGI driver, an application that does nothing. Its cost is subtracted from the costs of all contenders without an
    entry in ``drivers``. An entry in ``drivers`` names the contender whose cost is subtracted instead.
``loads``
    Measured behind a server. In the mode ``"rate"``, requests are sent at a fixed rate, to measure the server's CPU
    time per request. In the mode ``"saturation"``, the maximum rate is measured.
``latencies``
    Measured behind a server at several rates. In runs with the ``generator`` ``"open loop"``, a latency counts from the
    planned start of the request. Runs with ``"locust"`` are a closed loop.
``skipped``
    What was not measured on this machine, and why.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from click import ClickException
from pydantic import BaseModel, ConfigDict, ValidationError

from loadtests.instrument.experiment import MAIN, Experiment

FORMAT = 2


class ResultError(ClickException):
    """A result file cannot be read, or lacks the results that are needed. Commands except ``compare`` exit with 1."""


class Sample(NamedTuple):
    """One timed block. Contender 0 is the driver; contender 1 is the first in the experiment's ``contenders``."""

    round: int
    contender: int
    requests: int
    cpu_ns: int
    wall_ns: int


class Record(BaseModel):
    """A result file or a part of a result file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    def write(self, path: Path) -> None:
        """Write the file atomically: if writing fails, the previous file is kept."""
        beside = path.with_suffix(".part")
        beside.write_text(self.model_dump_json(), encoding="utf-8")
        os.replace(beside, path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the contents of ``path``. Raises ``ResultError`` if the file cannot be read or is not valid."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ResultError(f"{path}: {error.strerror}") from error
        except (ValidationError, UnicodeDecodeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(map(str, first["loc"]))
            raise ResultError(f"{path}: not a result file of this version: {where}: {first['msg']}") from error


class Process(Record):
    """The blocks of one experiment that one process measured, in the order in which they ran.

    ``clock`` says which time of a block the analysis uses: ``"cpu"`` or ``"wall"``. ``clock_step_ns`` is the resolution
    of the CPU clock.
    """

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
        """Return the index of the contender ``name`` in the samples, which is at least 1."""
        return self.contenders.index(name) + 1


def empty_result(experiment: Experiment) -> ExperimentResult:
    """Return the entry of ``experiment`` in the result file, without samples."""
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
    """A window of time in which one service was loaded. Times are in seconds unless their name says otherwise.

    ``pair`` is the number of the repetition. ``position`` is 0 for the first service of the repetition.
    ``generator_cpu_seconds`` is the CPU time of the busiest process of the load generator.
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
        return self.server_cpu_seconds * 1e6 / self.requests

    @property
    def generator_share(self) -> float:
        """The share of one core that the load generator used. If it is near 1, the generator may limit the rate."""
        return self.generator_cpu_seconds / self.seconds

    @property
    def in_flight(self) -> float:
        """The mean number of requests in flight, by Little's law: the rate times the mean latency. 0 means unknown."""
        return self.requests_per_second * self.latency_mean_ms / 1000


class Loaded(Record):
    """The services of a load, the number of clients (``users``), and the number of threads of each server."""

    key: str
    title: str
    services: list[str]
    users: int
    server_threads: int
    server: str = "waitress"


class LoadResult(Loaded):
    """The measurements of one load in one mode. ``runs`` has a ``Run`` for each service in each repetition.

    In the mode "rate", clients send ``rate`` requests a second. The first repetition determines ``rate``; until then it
    is 0. In the mode "saturation", clients send as many requests as the server can answer.
    """

    generator: str
    mode: Literal["rate", "saturation"] = "saturation"
    rate: float = 0.0
    generator_processes: int = 1
    runs: list[Run] = []


class LatencyRun(Run):
    """A window of time in which one service was sent ``rate`` requests a second.

    ``lag_ms`` has percentiles of the delay of the open-loop generator itself: how late the generator sent a request
    although a connection was free. The latencies include this delay.
    """

    generator: Literal["open loop", "locust"]
    rate: float
    lag_ms: dict[str, float] = {}


class LatencyResult(Loaded):
    """The latencies of services at several rates, the same rates for all services.

    ``shares`` are the rates divided by the maximum rate of the slowest service.
    """

    connections: int
    shares: list[float]
    rates: list[float] = []
    runs: list[LatencyRun] = []


class Import(Record):
    """The cost of importing ``module`` in a new interpreter. ``memory_kb`` is the memory of the process afterwards.

    The module ``"nothing"`` stands for an interpreter that imports nothing.
    """

    module: str
    round: int
    wall_ms: float
    cpu_ms: float
    memory_kb: float


class RunRecord(Record):
    """The common fields of a result file and a validation file.

    ``done`` has the labels of the completed steps. ``left_out`` is the number of steps that were skipped to meet a
    deadline. ``partial`` is true until the run is complete.
    """

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
    """The contents of ``results.json``."""

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
