"""Validate the instrument with differences whose true values are known.

The *bare callable* is a plain WSGI function. The *ladder* is a series of applications, its *rungs*, from the bare
callable up to Flask. A *contender* is an application in an experiment. The experiments are:

- Four applications are each compared with themselves, 50 times (in a quick run, 5 times). At most 5 % of the
  comparisons may find a difference.
- Each request gets a delay of known length, in Flask and in the bare callable. The measured length should be the known
  length.
- The bare callable handles each request several times. Each *further run* should take as long as a single run.
- Each step of the ladder is measured in an experiment of its own. The sum of the steps should be the difference between
  the first and the last rung.
- Three rungs are measured in process and behind a server, to show what the server adds.

``validation.json`` has the results, and ``report/validation_page.py`` renders them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from loadtests.cases import requests_for
from loadtests.instrument.eviction import Eviction
from loadtests.instrument.experiment import Contender, Experiment, Pace
from loadtests.instrument.inprocess import Workers
from loadtests.instrument.plan import Plan, repeated, spread_out
from loadtests.instrument.progress import Step
from loadtests.instrument.request import Request
from loadtests.instrument.results import ExperimentResult, LoadResult, Process, Record, RunRecord, empty_result
from loadtests.instrument.stats import Estimate, Figure, FloatArray, estimate, student_estimate
from loadtests.load import served
from loadtests.report.figures import difference, matrices, matrix, net, quotient
from loadtests.rows import churn_rows
from loadtests.run import beginning, carry_out
from loadtests.studies import FLASK, FLOOR, MODERATE, NULL, OWN, Budget, Load, rung, rungs, served_rung

AGAIN = "again"
SUBJECTS = (FLOOR, "Werkzeug objects", OWN, FLASK)
SETS = 50
DELAYS = (0, 2, 5, 10, 50)
NO_HOOK = "no hook"
# The numbers of further runs of the bare callable in one request.
RUNS = (0, 1, 2, 4, 9)
SINGLE = "a single run"
# With 8 processes, at most 5 % of the 95 % intervals exclude the true value (see VALIDATION.md).
AA_PACE = Pace(processes=8, seconds=0.15, warm_up=0.02, block_ms=3.0)
DELAY_PACE = Pace(processes=16, seconds=2.6, warm_up=0.05, block_ms=4.0)
BARE_PACE = Pace(processes=16, seconds=1.3, warm_up=0.05, block_ms=4.0)
SUM_PACE = Pace(processes=12, seconds=0.4, warm_up=0.03, block_ms=4.0)
COLD_PACE = Pace(processes=10, seconds=0.8, warm_up=0.03, block_ms=4.0)
SERVED_PAIRS = 4
SERVED_BUDGET = Budget(AA_PACE, pairs=SERVED_PAIRS, load_seconds=1.5, load_warm_up=0.4, rate_seconds=2.0)
WHOLE = "whole"
# The bytes written to evict the caches: more than the private caches of most cores hold.
COLD_BYTES = 4 << 20
# A quick run has this share of the samples, with which most verdicts stay open.
QUICK_SCALE = 0.1
SERVED_NAMES = (FLOOR, OWN, FLASK)


class Same(Record):
    """One comparison of the application ``subject`` with itself.

    ``cost`` is the application's cost. ``value`` is the measured difference, with the interval from ``low`` to
    ``high``. All are in µs. ``naive_differs`` says whether a naive test finds a difference in the same samples (see the
    function ``naive_differs``).
    """

    subject: str
    cost: float
    value: float
    low: float
    high: float
    naive_differs: bool

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 0. If it does, the comparison is a false positive."""
        return not self.low <= 0 <= self.high


class Validation(RunRecord):
    """The contents of ``validation.json``."""

    format: int = 1
    same_processes: int
    same: list[Same] = []
    delays: ExperimentResult
    bare_delays: ExperimentResult
    runs: ExperimentResult
    steps: list[ExperimentResult]
    hot: ExperimentResult
    cold: ExperimentResult
    served_rate: LoadResult
    served_saturation: LoadResult


# Measuring


def _requests() -> tuple[Request, ...]:
    return requests_for("predict", churn_rows(100).rows)


def _experiment(key: str, title: str, contenders: Sequence[Contender], **options: Any) -> Experiment:
    """Return an experiment whose reference is its first contender."""
    return Experiment(key, title, "", tuple(contenders), contenders[0].name, requests=_requests(), **options)


def same_experiments() -> list[Experiment]:
    """Return, for each application in ``SUBJECTS``, an experiment that measures it against itself."""
    return [_experiment(name, name, (rung(name), replace(rung(name), name=f"{name} {AGAIN}"))) for name in SUBJECTS]


def delay_experiment(bare: bool) -> Experiment:
    """Return an experiment that delays requests in Flask or, if ``bare`` is true, in the bare callable.

    There is a contender for each delay in ``DELAYS``. The first contender, the reference, has no function that delays.
    """
    factory = f"loadtests.rungs.delayed:{'create_bare' if bare else 'create_app'}"
    made = [Contender(delay_name(delay), factory, {"microseconds": delay}) for delay in DELAYS]
    without = Contender(NO_HOOK, factory, {"microseconds": None})
    key, title = ("bare_delays", "The bare callable") if bare else ("delays", "Flask")
    return _experiment(key, f"{title} with an injected delay", (without, *made))


def delay_name(delay: int) -> str:
    return f"{delay} µs"


def runs_experiment() -> Experiment:
    """Return an experiment in which the bare callable handles each request once or several times.

    The reference is the bare callable without a wrapper. For each number n in ``RUNS``, another contender is a wrapper
    that runs the bare callable n more times for each request.
    """
    factory, calls = "loadtests.rungs.delayed:create_repeated", RUNS[-1]
    made = [Contender(runs_name(runs), factory, {"runs": runs, "calls": calls}) for runs in RUNS]
    contenders = (replace(rung(FLOOR), name=SINGLE), *made)
    # Only one request: with several bodies, only a further run would parse the same body again, which can be faster.
    return replace(_experiment("runs", "The bare callable with further runs", contenders), requests=_requests()[:1])


def runs_name(runs: int) -> str:
    return f"{runs} further"


def step_experiments() -> list[Experiment]:
    """Return an experiment for each two adjacent applications of the ladder, and one for the first and the last
    application.

    The ladder is the series of applications from the bare callable up to Flask.
    """
    rungs = [one for one in NULL.contenders if not one.name.endswith(AGAIN)]
    found = [_experiment(f"{a.name} → {b.name}", b.name, (a, b)) for a, b in pairwise(rungs)]
    return [*found, _experiment(WHOLE, WHOLE, (rungs[0], rungs[-1]))]


def heat_experiment(cold: bool) -> Experiment:
    """Return an experiment with the bare callable, wsgi_core and Flask.

    If ``cold`` is true, ``COLD_BYTES`` bytes are written before each request, to evict the CPU caches.
    """
    key = "cold" if cold else "hot"
    return _experiment(key, f"{key} caches", rungs(SERVED_NAMES), evict=Eviction(COLD_BYTES if cold else 0))


def served_load() -> Load:
    """Return a `Load` with three services: the bare callable, wsgi_core and Flask. All three run on waitress, with a
    model that does no work.
    """
    services = tuple(served_rung(name, model="null") for name in SERVED_NAMES)
    title = "The null model on waitress"
    return Load("validation", title, "closed loop", services, shares=(MODERATE,), requests=_requests())


class Validating:
    """A run of the validation. After an interruption, ``validation.json`` has the samples of the completed steps."""

    def __init__(self, out: Path, scale: float = 1.0, resumed: Validation | None = None) -> None:
        self.path = out / "validation.json"
        self.rng = random.Random()
        self.workers = Workers()
        self.same, self.steps = same_experiments(), step_experiments()
        self.delays, self.bare_delays = delay_experiment(bare=False), delay_experiment(bare=True)
        self.runs = runs_experiment()
        self.heat = [heat_experiment(False), heat_experiment(True)]
        self.scale = scale
        self.found = resumed or self._empty()
        self.plan = Plan(self._plan(), self.found.done)
        self.found.planned_seconds = self.plan.seconds

    def _empty(self) -> Validation:
        entries = served.new_entries(served_load(), served.Spread())
        if entries.rate is None:
            raise ValueError("the load has no moderate rate")
        return Validation(
            **beginning(),
            same_processes=AA_PACE.processes,
            delays=empty_result(self.delays),
            bare_delays=empty_result(self.bare_delays),
            runs=empty_result(self.runs),
            steps=[empty_result(one) for one in self.steps],
            hot=empty_result(self.heat[0]),
            cold=empty_result(self.heat[1]),
            served_rate=entries.rate,
            served_saturation=entries.saturation,
        )

    def _times(self, wanted: int) -> int:
        return max(2, round(wanted * self.scale))

    def _plan(self) -> list[Step]:
        pair_seconds = served.planned_seconds(served_load(), SERVED_BUDGET)
        same_seconds = AA_PACE.processes * AA_PACE.process_seconds(self.same)
        measured = (
            ("an injected delay", [self.delays], [self.found.delays], DELAY_PACE),
            ("a delay in the bare callable", [self.bare_delays], [self.found.bare_delays], BARE_PACE),
            ("further runs in the bare callable", [self.runs], [self.found.runs], BARE_PACE),
            ("step by step", self.steps, self.found.steps, SUM_PACE),
            ("warm and cold caches", self.heat, [self.found.hot, self.found.cold], COLD_PACE),
        )
        kinds = [repeated("the same against itself", self._times(SETS), same_seconds, self._measure_same)]
        for label, what, into, pace in measured:
            run = partial(self._measure, what, into, pace)
            kinds.append(repeated(label, self._times(pace.processes), pace.process_seconds(what), run))
        kinds.append(repeated("served", self._times(SERVED_PAIRS), pair_seconds, self._serve))
        return spread_out(kinds)

    def _seed(self) -> int:
        return self.rng.randrange(1, 2**32)

    def _measure(self, what: Sequence[Experiment], into: Sequence[ExperimentResult], pace: Pace, _: int) -> None:
        samples = self.workers.measure(what, pace, self._seed())
        for experiment, result in zip(what, into, strict=True):
            result.processes.append(samples[experiment.key])

    def _measure_same(self, _: int) -> None:
        """Compare each application in ``SUBJECTS`` with itself once, in ``AA_PACE.processes`` processes."""
        measured = [self.workers.measure(self.same, AA_PACE, self._seed()) for _ in range(AA_PACE.processes)]
        for one in self.same:
            self.found.same.append(judge(one.key, [processes[one.key] for processes in measured], self._seed()))

    def _serve(self, pair: int) -> None:
        entries = served.Entries(self.found.served_saturation, self.found.served_rate, None)
        served.Pair(served_load(), entries, SERVED_BUDGET, served.Spread()).measure(pair)

    def carry_out(self, console: Console) -> None:
        """Run the remaining steps, and write ``validation.json`` after each step."""
        carry_out(self.plan, self.found, self.path, console)


# Results


def judge(subject: str, processes: Sequence[Process], seed: int) -> Same:
    """Return the comparison of the application ``subject`` with itself, from the samples of ``processes``."""
    tables = [matrix(process, 2) for process in processes]
    gap, cost = estimate(tables, [difference(2, 1), lambda costs: costs[..., 1]], seed)
    return Same(subject=subject, cost=cost.value, **gap._asdict(), naive_differs=naive_differs(tables))


def naive_differs(tables: Sequence[FloatArray]) -> bool:
    """Return whether Welch's t-test at the 5 % level finds a difference between the blocks of two contenders.

    The test treats the blocks of a process as independent, which is a common mistake. Its critical value is 1.96, from
    the normal distribution. Each table has the driver in column 0 and the contenders in columns 1 and 2.
    """
    a, b = (np.concatenate([table[:, column] for table in tables]) for column in (1, 2))
    error = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return bool(abs(a.mean() - b.mean()) > 1.96 * error)


def wilson_estimate(found: Sequence[bool]) -> Estimate:
    """Return the proportion of True in ``found``, with Wilson's 95 % score interval. ``found`` must not be empty."""
    count, share, z = len(found), sum(found) / len(found), 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Estimate(share, middle - reach, middle + reach)


def recovered(result: ExperimentResult) -> dict[int, Estimate]:
    """Return the measured length of each delay above 0, in µs. The keys are the injected delays.

    The measured length is the cost with this delay minus the cost with a delay of 0 µs.
    """
    found = estimate(matrices(result), [_delay(result, delay) for delay in DELAYS[1:]])
    return dict(zip(DELAYS[1:], found, strict=True))


def _delay(result: ExperimentResult, delay: int) -> Figure:
    return difference(result.column(delay_name(delay)), result.column(delay_name(0)))


def slope(result: ExperimentResult) -> Estimate:
    """Return the slope of the measured delays against the injected delays. An exact measurement has slope 1.

    The line goes through 0, and is fitted by least squares.
    """
    return estimate(matrices(result), [_fitted({delay: _delay(result, delay) for delay in DELAYS[1:]})])[0]


def _fitted(measured: Mapping[int, Figure]) -> Figure:
    """Return a function that computes the slope of ``measured``: its values (y axis) against its keys (x axis).

    The line goes through 0, and is fitted by least squares.
    """
    squares = sum(key * key for key in measured)
    return lambda cost: np.sum([key / squares * figure(cost) for key, figure in measured.items()], axis=0)


class FurtherRuns(NamedTuple):
    """How long the further runs of the bare callable in one request take, in µs.

    ``known`` is the number of further runs times the cost of a single run. ``measured`` is the cost that the further
    runs add to the request. ``off`` is ``measured`` minus ``known``.
    """

    known: Estimate
    measured: Estimate
    off: Estimate


def measured_runs(result: ExperimentResult) -> dict[int, FurtherRuns]:
    """Return how long the further runs of the bare callable take (see ``FurtherRuns``).

    A further run is one more call of the bare callable in the same request. The keys are the numbers in ``RUNS`` except
    0.
    """
    single, measured = _further(result)

    def figures(runs: int, one: Figure) -> list[Figure]:
        return [lambda cost: runs * single(cost), one, lambda cost: one(cost) - runs * single(cost)]

    tables = matrices(result)
    return {runs: FurtherRuns(*estimate(tables, figures(runs, one))) for runs, one in measured.items()}


def runs_slope(result: ExperimentResult) -> Estimate:
    """Return the slope of the measured against the known durations (see ``FurtherRuns``).

    The line goes through 0, and is fitted by least squares. An exact measurement has slope 1.
    """
    single, measured = _further(result)
    return estimate(matrices(result), [quotient(_fitted(measured), single)])[0]


def _further(result: ExperimentResult) -> tuple[Figure, dict[int, Figure]]:
    """Return functions that compute the cost of a single run, and the costs that further runs add to a request.

    The keys of the added costs are the numbers of further runs, without 0.
    """
    none = result.column(runs_name(0))
    measured = {runs: difference(result.column(runs_name(runs)), none) for runs in RUNS[1:]}
    return net(result.column(SINGLE)), measured


def price(result: ExperimentResult, one: str, other: str) -> Estimate:
    """Return the cost of the contender ``one`` minus the cost of the contender ``other``, in µs."""
    return estimate(matrices(result), [difference(result.column(one), result.column(other))])[0]


def sum_of_steps(steps: Sequence[ExperimentResult]) -> tuple[Estimate, Estimate, Estimate]:
    """Return the sum of the steps' costs, the cost of the whole ladder, and the whole minus the sum, in µs.

    ``steps`` has the results of ``step_experiments``. The cost of the whole ladder comes from the experiment with the
    key ``WHOLE``: the cost of the last rung minus the cost of the first rung.
    """
    by_process = {one.key: [_gap(process) for process in one.processes] for one in steps}
    whole = by_process.pop(WHOLE)
    sums = [sum(parts) for parts in zip(*by_process.values(), strict=True)]
    between = [one - other for one, other in zip(whole, sums, strict=True)]
    return student_estimate(sums), student_estimate(whole), student_estimate(between)


def _gap(process: Process) -> float:
    table = matrix(process, 2)
    return estimate([table], [difference(2, 1)])[0].value
