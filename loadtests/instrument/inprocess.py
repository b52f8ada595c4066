"""The in-process part of a study: one worker process after the other, each with a hash seed of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loadtests.instrument.exchanges import Row
from loadtests.instrument.results import Process
from loadtests.studies import MAIN, Budget, Experiment

# What a worker spends on starting up and on building the contenders, for the estimate of the time, by group.
START_SECONDS = {MAIN: 0.9, "peers": 1.4, "tutorial": 3.0}


class RunFailed(Exception):
    """A part of the run went wrong; its text is for the user, ``code`` for the shell."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def worker_failed(said: str) -> RunFailed:
    """A measuring process has ended with a traceback: of a model that can't be loaded only its one line is shown."""
    kind, _, reason = said.rpartition("\n")[2].partition(": ")
    if kind.rpartition(".")[2] == "ModelError":
        return RunFailed(f"Error: {reason}", 3)
    return RunFailed(f"a measuring process failed:\n{said}", 5)


class Mismatch(RunFailed):
    """The contenders do not answer the same, so a comparison of their times says nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 4)


def planned_seconds(experiments: Sequence[Experiment], budget: Budget) -> float:
    """How long one worker takes, in seconds, with experiments of one group."""
    warm_ups = sum(len(experiment.contenders) + 1 for experiment in experiments) * budget.warm_up
    # A round runs to its end: about half of one is added to each experiment.
    return START_SECONDS[experiments[0].group] + warm_ups + len(experiments) * (budget.experiment_seconds + 0.05)


def compare(experiments: Sequence[Experiment], rows: Sequence[Row]) -> None:
    """Have a worker compare all contenders byte for byte over all rows; raises ``Mismatch``."""
    _run({**_orders(experiments, rows), "seconds": 0.0}, hash_seed=0)


def measure(
    experiments: Sequence[Experiment], rows: Sequence[Row], budget: Budget, hash_seed: int
) -> dict[str, Process]:
    """Have one worker measure every experiment: the samples by the experiment's key."""
    orders = {
        **_orders(experiments, rows),
        "seconds": budget.experiment_seconds,
        "warm_up": budget.warm_up,
        "block_ms": budget.block_ms,
        "seed": hash_seed,
    }
    return processes_of(_run(orders, hash_seed), hash_seed)


def processes_of(answer: dict[str, Any], hash_seed: int) -> dict[str, Process]:
    """The samples in a worker's answer, by their key."""
    about = {"hash_seed": hash_seed, "clock": answer["clock"], "clock_step_ns": answer["clock_step_ns"]}
    return {key: Process(**about, blocks=blocks) for key, blocks in answer["samples"].items()}


def _orders(experiments: Sequence[Experiment], rows: Sequence[Row]) -> dict[str, Any]:
    return {"experiments": [asdict(experiment) for experiment in experiments], "rows": list(rows)}


def _run(orders: dict[str, Any], hash_seed: int) -> dict[str, Any]:
    code, out, said = carried_out("loadtests.instrument.worker", orders, hash_seed)
    if code == 4:
        raise Mismatch(said.strip())
    if code:
        raise worker_failed(said.strip())
    answer: dict[str, Any] = json.loads(out)
    return answer


def carried_out(module: str, orders: dict[str, Any], hash_seed: int) -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error of a worker with these orders. It ends with whoever waits."""
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ,
    ) as worker:  # fmt: skip
        try:
            out, err = worker.communicate(json.dumps(orders).encode())
        except BaseException:
            worker.kill()
            raise
    return worker.returncode, out, err.decode("utf-8", "replace")
