"""Carry out a study: the plan as steps, each of which puts its samples into the results and has them written."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from loadtests import curve
from loadtests.instrument import environment, imports, inprocess, trials
from loadtests.instrument.plan import Placed, Plan, repeated, spread_out
from loadtests.instrument.progress import Step
from loadtests.instrument.results import ExperimentResult, Results
from loadtests.load import served
from loadtests.load.served import Spread
from loadtests.rows import Rows, churn_rows
from loadtests.studies import MAIN, Budget, Experiment, Study, budget_of, chosen, runnable

# The answers of one group of experiments, to every row.
COMPARE_SECONDS = 1.3


class Run:
    """One run of one study, from the comparison of the answers to the complete result file."""

    def __init__(
        self,
        study: Study,
        quick: bool,
        command: str,
        out: Path,
        servers: Collection[str] = (),
        spread: Spread = Spread(),  # noqa: B008
        resumed: Results | None = None,
    ) -> None:
        self.study, self.skipped = runnable(chosen(study, quick, servers))
        self.spread = spread
        self.budget: Budget = budget_of(study, quick)
        self.rows: Rows = churn_rows()
        self.path = out / "results.json"
        self.started = time.monotonic()
        # A study repeated is a new sample of hash seeds and orders; which ones were drawn is in the results.
        self.dice = random.Random()
        self.models, missing = curve.available() if self.study.curve else ([], [])
        self.skipped += missing
        self.results = resumed or self._empty(quick, command)
        self.steps = [*self._first_steps(), *self._measuring_steps()]
        self.results.planned_seconds = sum(step.seconds for step in self.steps)
        self.plan = Plan(self.steps, self.results.done)
        self.seconds_before = self.results.seconds

    def _empty(self, quick: bool, command: str) -> Results:
        entries = [served.new_entries(load, self.spread) for load in self.study.loads]
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
                    drivers=one.drivers,
                )
                for one in self.study.experiments
            ],
            loads=[one for each in entries for one in (each.rate, each.saturation) if one],
            latencies=[each.latency for each in entries if each.latency],
            skipped=self.skipped,
            curve=[trial.empty_result() for trial in curve.trials_of(self.models)] if self.models else [],
        )

    def _first_steps(self) -> list[Step]:
        return [Step("comparing the answers", COMPARE_SECONDS * len(self._groups()), self._compare, always=True)]

    def _measuring_steps(self) -> list[Step]:
        """Every kind of step spread evenly over the run, so that a drift of the machine meets all of them."""
        budget = self.budget
        kinds = [self._group_steps(group) for group in self._groups()]
        for load in self.study.loads:
            pair = served.Pair(load, served.find_entries(load, self.results), self.rows.rows, budget, self.spread)
            times = budget.pairs if load.both_runs else budget.other_pairs
            kinds.append(repeated(f"served, {load.key}", times, served.planned_seconds(load, budget), pair.measure))
        if self.study.imports:
            seconds = len(imports.MODULES) * imports.SECONDS
            kinds.append(repeated("imports", budget.import_rounds, seconds, self._import))
        if self.models:
            kinds.append(self._curve_steps())
        return spread_out(kinds)

    def _curve_steps(self) -> list[Placed]:
        wanted = curve.trials_of(self.models)
        pace = curve.QUICK if self.results.quick else curve.FULL

        def measure(_: int) -> None:
            samples = trials.measure(wanted, pace, self.dice.randrange(1, 2**32))
            for result in self.results.curve:
                result.processes.append(samples[result.key])

        return repeated("model by model", pace.processes, pace.process_seconds(wanted) + curve.START_SECONDS, measure)

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(one.group for one in self.study.experiments))

    def _group_steps(self, group: str) -> list[Placed]:
        experiments = [one for one in self.study.experiments if one.group == group]
        seconds = inprocess.planned_seconds(experiments, self.budget)
        times = self.budget.processes if group == MAIN else self.budget.other_processes
        label = MAIN if group == MAIN else f"{MAIN}, {group}"
        return repeated(label, times, seconds, lambda _: self._measure(experiments))

    def _compare(self) -> None:
        if self.study.experiments:
            inprocess.compare(self.study.experiments, self.rows.rows)
        if self.models:
            trials.try_out(curve.trials_of(self.models))

    def _measure(self, experiments: Sequence[Experiment]) -> None:
        seed = self.dice.randrange(1, 2**32)
        samples = inprocess.measure(experiments, self.rows.rows, self.budget, seed)
        for result in self.results.experiments:
            if result.key in samples:
                result.processes.append(samples[result.key])

    def _import(self, number: int) -> None:
        self.results.imports += imports.measure_round(number)

    def carry_out(self, console: Console) -> None:
        """Run every step. What was measured until an exception is in the file, marked as partial."""
        self.results.left_out = self.plan.carry_out(console, self._keep, self.budget.deadline)
        self.results.partial = False
        self.results.environment_after = environment.load()
        self._keep()

    def _keep(self) -> None:
        self.results.seconds = round(self.seconds_before + time.monotonic() - self.started, 1)
        self.results.write(self.path)
