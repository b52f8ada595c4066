"""The result file ``results.json``: all samples of a run, and the conditions of the measurement.

The file has no verdicts: ``report/analysis.py`` computes them from the samples each time. The file is written after
every step, so after an interruption it has the samples of the completed steps.

``experiments``
    Measured in process. Each experiment has ``contenders`` and ``processes``. A process has ``blocks`` of [round,
    contender, requests, CPU ns, wall ns]. Contender 0 is the WSGI driver, whose cost is subtracted. From the cost of an
    ASGI contender, the cost of the contender that ``drivers`` names is subtracted instead.
``loads``
    Measured behind a server: one entry for each load and ``mode``. ``"rate"`` is a fixed moderate rate, at which the
    server's CPU time per request is measured. At ``"saturation"``, the clients send as many requests as the server can
    answer, and the rate is measured.
``latencies``
    Measured behind a server at several rates. In ``runs`` with the ``generator`` ``"open loop"``, a latency counts from
    the planned start of the request. Runs with ``"locust"`` are Locust's closed loop at the same rate.
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
    """A result file or a part of it. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    def write(self, path: Path) -> None:
        """Write the file atomically: if writing fails, the previous file is kept."""
        beside = path.with_suffix(".part")
        beside.write_text(self.model_dump_json(), encoding="utf-8")
        os.replace(beside, path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the contents of ``path``. Raises ``ResultError`` if the file cannot be read or is not a valid result
        file.
        """
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

    ``clock`` is ``"cpu"`` or ``"wall"``: the analysis uses this time of each block.
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
        """Return the index that the samples use for the contender ``name``. It is at least 1: index 0 is the driver."""
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
    """One window: a period in which a generator loads one service. Times are in seconds unless the name says otherwise.

    ``pair`` is the number of the repetition. ``position`` is 0 for the service that was loaded first in the repetition.
    ``generator_cpu_seconds`` is the CPU time of the busiest generator process, because one saturated process is enough
    to limit the rate.
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
        """CPU time of the server per request, in µs."""
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

    In the mode "rate", the generator sends ``rate`` requests a second. ``rate`` is 0 until the first repetition has
    determined it. In the mode "saturation", the generator sends as many requests as the server can answer.
    """

    generator: str
    mode: Literal["rate", "saturation"] = "saturation"
    rate: float = 0.0
    generator_processes: int = 1
    runs: list[Run] = []


class LatencyRun(Run):
    """One window in which one service gets ``rate`` requests a second.

    ``lag_ms`` has percentiles of the open-loop generator's own delay: how late it sent a request for which a connection
    was free. The latencies include this delay.
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
    """The cost of importing ``module`` in a new interpreter: wall time, CPU time, and the process's memory afterwards.

    The memory includes the memory of psutil, which measures it. The module ``"nothing"`` stands for an interpreter that
    imports nothing.
    """

    module: str
    round: int
    wall_ms: float
    cpu_ms: float
    memory_kb: float


class RunRecord(Record):
    """The common fields of a result file and a validation file: time, environment, and the labels of the steps that
    are done.
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
    """The results of a run, as written to ``results.json``."""

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
