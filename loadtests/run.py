"""Carry out a study as a plan of steps. The result file is written after each step.

An *experiment* times applications in process. The experiments of one *group* are measured in the same processes. A
*load* measures servers.
"""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests import curve
from loadtests.instrument import environment, imports
from loadtests.instrument.experiment import MAIN, Experiment
from loadtests.instrument.inprocess import START_SECONDS, Workers
from loadtests.instrument.plan import Placed, Plan, repeated, spread_out
from loadtests.instrument.progress import Step
from loadtests.instrument.results import Results, RunRecord, empty_result
from loadtests.load import served
from loadtests.load.served import Spread
from loadtests.rows import Rows, churn_rows
from loadtests.studies import APPS, Study, budget_of, chosen, runnable, with_requests

# The estimated seconds for sending all requests to a group of experiments once and comparing the responses.
COMPARE_SECONDS = 1.3


def beginning() -> dict[str, Any]:
    """Return the fields of a new result file that say when the run begins, and in which environment."""
    now = datetime.datetime.now(datetime.UTC)
    return {"started": now.isoformat(timespec="seconds"), "environment": environment.describe()}


def carry_out(plan: Plan, file: RunRecord, path: Path, console: Console, deadline: float | None = None) -> None:
    """Run the remaining steps of ``plan``. Write ``file`` to ``path`` after each step and at the end.

    If ``deadline`` is given, it limits the duration to this number of seconds: a step that would end later is skipped
    if its ``may_be_skipped`` is true. ``file.left_out`` gets the number of skipped steps.
    """
    before, started = file.seconds, time.monotonic()

    def keep() -> None:
        file.seconds = round(before + time.monotonic() - started, 1)
        file.write(path)

    file.left_out = plan.carry_out(console, keep, deadline)
    file.partial, file.environment_after = False, environment.load()
    keep()


class StudyRun:
    """One run of a study.

    To resume an interrupted run, pass its results as ``resumed``. ``workers`` starts the measuring processes. If
    ``by_group`` has an entry for a group of experiments, this entry starts the group's processes instead.
    """

    def __init__(
        self,
        study: Study,
        quick: bool,
        command: str,
        out: Path,
        servers: Collection[str] = (),
        spread: Spread = Spread(),  # noqa: B008
        resumed: Results | None = None,
        workers: Workers = Workers(),  # noqa: B008
        notes: Sequence[str] = (),
        by_group: Mapping[str, Workers] | None = None,
    ) -> None:
        self.spread, self.workers, self.quick = spread, workers, quick
        self.by_group = by_group or {}
        self.budget = budget_of(study, quick)
        self.path = out / "results.json"
        # Each run of a study draws new hash seeds and orders. The results record them.
        self.rng = random.Random()
        rows = churn_rows() if study.key != APPS else Rows([], study.title)
        wanted, skipped = runnable(chosen(study, quick, servers))
        if wanted.models:
            models, missing = curve.available()
            skipped += missing
            wanted = replace(wanted, experiments=(*wanted.experiments, *curve.experiments_of(models)))
        self.study = with_requests(wanted, rows.rows)
        self.results = resumed or self._empty(command, rows.source, skipped)
        self.results.notes = list(notes)
        self.groups: dict[str, list[Experiment]] = {}
        for one in self.study.experiments:
            self.groups.setdefault(one.group, []).append(one)
        seconds = COMPARE_SECONDS * len(self.groups)
        comparison = Step("comparing the responses", seconds, self._compare, always=True)
        self.steps = [comparison, *self._measuring_steps()]
        self.results.planned_seconds = sum(step.seconds for step in self.steps)
        self.plan = Plan(self.steps, self.results.done)

    def _empty(self, command: str, rows: str, skipped: list[str]) -> Results:
        entries = [served.new_entries(load, self.spread) for load in self.study.loads]
        return Results(
            study=self.study.key,
            title=self.study.title,
            quick=self.quick,
            **beginning(),
            command=command,
            rows=rows,
            experiments=[empty_result(one) for one in self.study.experiments],
            loads=[one for each in entries for one in (each.rate, each.saturation) if one],
            latencies=[each.latency for each in entries if each.latency],
            skipped=skipped,
        )

    def _measuring_steps(self) -> list[Step]:
        """Return all steps that measure. The repetitions of each measurement are spread evenly over the run."""
        budget = self.budget
        kinds = [self._group_steps(group) for group in self.groups]
        for load in self.study.loads:
            pair = served.Pair(load, served.find_entries(load, self.results), budget, self.spread)
            times = budget.pairs if load.both_runs else budget.other_pairs
            kinds.append(repeated(f"served, {load.key}", times, served.planned_seconds(load, budget), pair.measure))
        if self.study.imports:
            seconds = len(imports.MODULES) * imports.SECONDS
            kinds.append(repeated("imports", budget.import_rounds, seconds, self._import))
        return spread_out(kinds)

    def _group_steps(self, group: str) -> list[Placed]:
        pace = self.budget.pace_of(group)
        seconds = pace.process_seconds(self.groups[group], START_SECONDS.get(group, START_SECONDS[MAIN]))
        label = MAIN if group == MAIN else f"{MAIN}, {group}"
        return repeated(label, pace.processes, seconds, lambda _: self._measure(group))

    def _compare(self) -> None:
        for group, experiments in self.groups.items():
            self._workers(group).try_out(experiments)

    def _measure(self, group: str) -> None:
        pace, seed = self.budget.pace_of(group), self.rng.randrange(1, 2**32)
        samples = self._workers(group).measure(self.groups[group], pace, seed)
        for result in self.results.experiments:
            if result.key in samples:
                result.processes.append(samples[result.key])

    def _workers(self, group: str) -> Workers:
        return self.by_group.get(group, self.workers)

    def _import(self, number: int) -> None:
        self.results.imports += imports.measure_round(number)

    def carry_out(self, console: Console) -> None:
        """Run the remaining steps. After each step, write the result file with the samples of all completed steps."""
        carry_out(self.plan, self.results, self.path, console, self.budget.deadline)
