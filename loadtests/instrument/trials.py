"""Trials: comparisons that are no part of a study, measured in the same way.

A study times the rungs on requests that this project chose. A trial times any applications on any requests: the
user's own (``apps.py``), an application and itself (``validate.py``), one model after the other (``curve.py``).
Each trial is measured by several processes (``trial_worker.py``), each with a hash seed of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtests.instrument.inprocess import Mismatch, RunFailed, carried_out, processes_of
from loadtests.instrument.request import Request
from loadtests.instrument.results import ExperimentResult, Process
from loadtests.studies import Contender

# What a worker spends on starting up and on building the contenders, for the estimate of the time.
START_SECONDS = 0.4


@dataclass(frozen=True)
class Trial:
    """Applications that get the same requests in the same rounds.

    ``alike``: they must answer the same bytes. ``cold``: between two requests the caches of the processor are
    emptied, as other work does in a server. ``alone``: the contenders whose answers are no part of the comparison.
    """

    key: str
    title: str
    contenders: tuple[Contender, ...]
    requests: tuple[Request, ...]
    reference: str
    alike: bool = True
    cold: bool = False
    alone: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The orders for a worker."""
        return {
            "key": self.key,
            "contenders": [asdict(contender) for contender in self.contenders],
            "requests": [request.to_json() for request in self.requests],
            "alike": self.alike,
            "cold": self.cold,
            "alone": list(self.alone),
        }

    def empty_result(self) -> ExperimentResult:
        """What the samples will be put into."""
        names = [contender.name for contender in self.contenders]
        return ExperimentResult(
            key=self.key, title=self.title, contenders=names, reference=self.reference, ladder=False
        )


@dataclass(frozen=True)
class Pace:
    """How many processes measure, and how long each trial takes in one of them (seconds; blocks in ms)."""

    processes: int
    seconds: float
    warm_up: float
    block_ms: float

    def process_seconds(self, trials: Sequence[Trial]) -> float:
        """How long one process takes for all ``trials``: its start, the warm-ups, the rounds."""
        warm_ups = sum(len(trial.contenders) + 1 for trial in trials) * self.warm_up
        return START_SECONDS + warm_ups + len(trials) * (self.seconds + 0.03)


@dataclass(frozen=True)
class Answered:
    """What a contender said to the first request, and to which requests it said something else than the first one."""

    status: str
    length: int
    differences: list[str]


def try_out(trials: Sequence[Trial]) -> dict[str, dict[str, Answered]]:
    """Have every contender answer every request once, untimed: by trial and contender.

    Raises ``Mismatch`` where answers must be alike and are not, ``RunFailed`` where an application fails.
    """
    answer = _run({"trials": [trial.to_json() for trial in trials], "seconds": 0.0}, hash_seed=0)
    return {
        key: {name: Answered(**said) for name, said in by_name.items()} for key, by_name in answer["answers"].items()
    }


def measure(trials: Sequence[Trial], pace: Pace, hash_seed: int) -> dict[str, Process]:
    """Have one process measure every trial: the samples by the trial's key."""
    orders = {
        "trials": [trial.to_json() for trial in trials],
        "seconds": pace.seconds,
        "warm_up": pace.warm_up,
        "block_ms": pace.block_ms,
        "seed": hash_seed,
    }
    return processes_of(_run(orders, hash_seed), hash_seed)


def _run(orders: dict[str, Any], hash_seed: int) -> dict[str, Any]:
    code, out, err = carried_out("loadtests.instrument.trial_worker", orders, hash_seed)
    # What the application itself wrote to standard error stands before the mark, and is not what is wrong.
    said = err.rpartition("\0")[2].strip()
    if code == 4:
        raise Mismatch(said)
    if code:
        raise RunFailed(said or f"a measuring process ended with {code}", 5)
    answer: dict[str, Any] = json.loads(out)
    return answer
