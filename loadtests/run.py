"""Carry out a study: the plan as steps, each of which puts its samples into the results and has them written."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path

from rich.console import Console

from loadtests import environment, imports, inprocess, served
from loadtests.progress import Step, run_steps
from loadtests.results import ExperimentResult, LoadResult, Results
from loadtests.rows import Rows, churn_rows
from loadtests.studies import Budget, Load, Study, budget_of

COMPARE_SECONDS = 2.0
# Repetitions of each kind that a slow machine carries out too.
NEEDED = 3


class Run:
    """One run of one study, from the comparison of the answers to the complete result file."""

    def __init__(self, study: Study, quick: bool, command: str, out: Path) -> None:
        self.study = study
        self.budget: Budget = budget_of(study, quick)
        self.rows: Rows = churn_rows()
        self.path = out / "results.json"
        self.started = time.monotonic()
        # A study repeated is a new sample of hash seeds and orders; which ones were drawn is in the results.
        self.dice = random.Random()
        self.results = self._empty(quick, command)
        self.steps = [*self._first_steps(), *self._measuring_steps()]
        self.results.planned_seconds = sum(step.seconds for step in self.steps)

    def _empty(self, quick: bool, command: str) -> Results:
        return Results(
            study=self.study.key,
            title=self.study.title,
            quick=quick,
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            planned_seconds=0.0,
            command=command,
            rows=self.rows.source,
            environment=environment.describe(),
            experiments=[
                ExperimentResult(
                    key=one.key,
                    title=one.title,
                    contenders=[contender.name for contender in one.contenders],
                    reference=one.reference,
                    ladder=one.ladder,
                )
                for one in self.study.experiments
            ],
            loads=[_empty_load(load) for load in self.study.loads],
        )

    def _first_steps(self) -> list[Step]:
        return [Step("comparing the answers", COMPARE_SECONDS, self._compare)]

    def _measuring_steps(self) -> list[Step]:
        """Every kind of step spread evenly over the run, so that a drift of the machine meets all of them."""
        budget = self.budget
        seconds = inprocess.planned_seconds(self.study.experiments, budget)
        kinds = [self._repeat("in process", budget.processes, seconds, lambda _: self._measure())]
        for load, result in zip(self.study.loads, self.results.loads, strict=True):
            seconds = served.planned_seconds(load, budget)
            kinds.append(self._repeat("served", budget.pairs, seconds, partial(self._serve, load, result)))
        if self.study.imports:
            seconds = len(imports.MODULES) * imports.SECONDS
            kinds.append(self._repeat("imports", budget.import_rounds, seconds, self._import))
        return [step for _, step in sorted((place for kind in kinds for place in kind), key=itemgetter(0))]

    @staticmethod
    def _repeat(label: str, times: int, seconds: float, run: Callable[[int], None]) -> list[tuple[float, Step]]:
        """So many repetitions with their places in the run, from 0 to 1."""
        return [
            (
                (index + 0.5) / times,
                Step(f"{label}, {index + 1} of {times}", seconds, partial(run, index), index >= NEEDED),
            )
            for index in range(times)
        ]

    def _compare(self) -> None:
        inprocess.compare(self.study.experiments, self.rows.rows)

    def _measure(self) -> None:
        seed = self.dice.randrange(1, 2**32)
        samples = inprocess.measure(self.study.experiments, self.rows.rows, self.budget, seed)
        for result in self.results.experiments:
            result.processes.append(samples[result.key])

    def _serve(self, load: Load, result: LoadResult, pair: int) -> None:
        result.runs += served.measure_pair(load, self.rows.rows, self.budget, pair)

    def _import(self, number: int) -> None:
        self.results.imports += imports.measure_round(number)

    def carry_out(self, console: Console) -> None:
        """Run every step. What was measured until an exception is in the file, marked as partial."""
        self.results.left_out = run_steps(self.steps, console, self._keep, self.budget.deadline)
        self.results.partial = False
        self.results.environment_after = environment.load()
        self._keep()

    def _keep(self) -> None:
        self.results.seconds = round(time.monotonic() - self.started, 1)
        self.results.write(self.path)


def _empty_load(load: Load) -> LoadResult:
    return LoadResult(
        key=load.key,
        title=load.title,
        generator=load.generator,
        services=[service.name for service in load.services],
        users=served.THREADS,
        server_threads=served.THREADS,
    )
