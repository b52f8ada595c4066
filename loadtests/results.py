"""The result file: everything that was measured, raw, and what it was measured on.

``results.json`` holds the samples and no verdicts that could not be computed again from them; ``analysis.py``
does so each time. It is written after every step, so an interrupted run leaves what it had.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT = 1


class ResultError(Exception):
    """A file that is no result file of this version: one line that says what is wrong."""


class Sample(NamedTuple):
    """One timed block: contender 0 is the driver alone, the others follow in the order of the names."""

    round: int
    contender: int
    requests: int
    cpu_ns: int
    wall_ns: int


class Record(BaseModel):
    """A part of the file; what it does not know is an error."""

    model_config = ConfigDict(extra="forbid")


class Process(Record):
    """The blocks that one process measured, in the order in which they ran."""

    hash_seed: int
    clock: str
    clock_step_ns: int
    blocks: list[Sample]


class ExperimentResult(Record):
    """One experiment: its contenders, and the samples by process."""

    key: str
    title: str
    contenders: list[str]
    reference: str
    ladder: bool
    processes: list[Process] = []


class Run(Record):
    """One service under load for one window. Times in seconds unless the name says otherwise."""

    service: str
    pair: int
    position: int
    seconds: float
    requests: int
    failures: int
    server_cpu_seconds: float
    generator_cpu_seconds: float
    latencies_ms: dict[str, float]

    @property
    def requests_per_second(self) -> float:
        """Answers a second over the window."""
        return self.requests / self.seconds

    @property
    def server_cpu_us(self) -> float:
        """CPU time of the server process for one request, µs."""
        return self.server_cpu_seconds * 1e6 / self.requests

    @property
    def generator_share(self) -> float:
        """How much of one core the load generator used: near 1 it bounds the run."""
        return self.generator_cpu_seconds / self.seconds


class LoadResult(Record):
    """Services loaded in turn."""

    key: str
    title: str
    generator: str
    services: list[str]
    users: int
    server_threads: int
    runs: list[Run] = []


class Import(Record):
    """One fresh interpreter that imported ``module`` (or nothing): wall and CPU time, memory over all."""

    module: str
    round: int
    wall_ms: float
    cpu_ms: float
    memory_kb: float


class Results(Record):
    """The whole file."""

    format: int = FORMAT
    study: str
    title: str
    quick: bool
    partial: bool = True
    started: str
    seconds: float = 0.0
    planned_seconds: float
    left_out: int = 0
    command: str
    rows: str
    environment: dict[str, Any]
    environment_after: dict[str, Any] = {}
    experiments: list[ExperimentResult] = []
    loads: list[LoadResult] = []
    imports: list[Import] = []

    def write(self, path: Path) -> None:
        """Write the file in one piece: a run that dies while writing leaves the older one."""
        beside = path.with_suffix(".part")
        beside.write_text(self.model_dump_json(), encoding="utf-8")
        os.replace(beside, path)


def read(path: Path) -> Results:
    """The results in ``path``; raises ``ResultError`` when it cannot be read as such."""
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, first["loc"]))
        raise ResultError(f"{path}: not a result file of this version: {where}: {first['msg']}") from error
