"""Compare two result files: ``wsgi-core overhead compare OLD.json NEW.json``.

Even on one machine, the costs of the same code may differ by 20 % between two runs. So each cost is first divided by
the cost of a *yardstick* from the same run. In process, the yardstick is the bare callable, a plain WSGI function, if
both files have it. Otherwise the yardstick is the driver, an application that does nothing. Behind a server, the
yardstick is the bare callable. Without the bare callable, costs behind a server are not divided.

A cost has increased if the whole interval of the ratio new ÷ old is above the threshold and, in process, above the
noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loadtests.instrument.results import ExperimentResult, LoadResult, Results
from loadtests.instrument.stats import Estimate, Figure, FloatArray, estimate, student_estimate
from loadtests.report.analysis import AGAIN_SUFFIX, driver_of, summarise_experiment
from loadtests.report.figures import matrices, net
from loadtests.report.format import Table, cells, number
from loadtests.studies import FLOOR

SAME, SLOWER, UNKNOWN = 0, 1, 3
# The results from which the README's figures are made.
PUBLISHED = Path(__file__).resolve().parents[1] / "published.json"
WORDS = {"slower": "slower", "faster": "faster", "same": "no increase beyond {threshold:.0%}", "open": "no verdict"}


@dataclass(frozen=True)
class Change:
    """One cost in both files: ``old`` and ``new`` in µs.

    ``ratio`` is new ÷ old, after each cost is divided by the cost of the yardstick (see the module's docstring).
    """

    where: str
    name: str
    old: float
    new: float
    ratio: Estimate
    threshold: float

    @property
    def verdict(self) -> str:
        """The verdict on this change: ``"slower"``, ``"faster"``, ``"same"`` or ``"open"``."""
        return verdict(self.ratio, self.threshold)


@dataclass(frozen=True)
class Comparison:
    """The comparison of two result files: the change of each cost, and notes on the two runs.

    A cost counts as increased above the relative increase ``threshold``, such as 0.05. If no comparison is possible,
    ``obstacle`` says why.
    """

    threshold: float
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    obstacle: str = ""

    @property
    def code(self) -> int:
        """The exit code: 1 if a cost has increased, 3 if there is no verdict, otherwise 0.

        There is no verdict if nothing was compared, or if a change has the verdict ``"open"``.
        """
        if self.obstacle or not self.changes:
            return UNKNOWN
        verdicts = {change.verdict for change in self.changes}
        if "slower" in verdicts:
            return SLOWER
        return UNKNOWN if "open" in verdicts else SAME

    @property
    def sentence(self) -> str:
        if self.obstacle:
            return f"No verdict: {self.obstacle}."
        beyond = f"slower by more than {self.threshold:.0%}"
        if self.code == SLOWER:
            return f"{beyond.capitalize()}: {self._named('slower')}."
        if self.code == UNKNOWN:
            return f"No verdict on whether these became {beyond}: {self._named('open')}."
        return f"Nothing became {beyond}."

    def _named(self, verdict: str) -> str:
        return ", ".join(f"{one.name} ({one.where})" for one in self.changes if one.verdict == verdict)


def compare(old: Results, new: Results, threshold: float, elsewhere: bool = False) -> Comparison:
    """Compare the costs of the applications and services that both files have.

    If the files come from different processors, they are compared only if ``elsewhere`` is true.
    """
    before, after = old.environment.get("cpu"), new.environment.get("cpu")
    if before != after and not elsewhere:
        differ = f"the processors differ, {before} and {after}: to compare the files all the same, use --elsewhere"
        return Comparison(threshold, obstacle=differ)
    changes = _experiment_changes(old, new, threshold) + _load_changes(old, new, threshold)
    nothing = "" if changes else "the files have no common application that was measured in at least two processes"
    return Comparison(threshold, changes, _notes(old, new), nothing)


def _notes(old: Results, new: Results) -> list[str]:
    said = [f"{name} is from an interrupted run" for name, one in (("OLD", old), ("NEW", new)) if one.partial]
    before, after = old.environment, new.environment
    if before.get("python") != after.get("python"):
        said.append(f"the Pythons differ: {before.get('python')}, now {after.get('python')}")
    versions = before.get("versions", {}), after.get("versions", {})
    for package in sorted(set(versions[0]) | set(versions[1])):
        one, other = (found.get(package) or "none" for found in versions)
        if one != other:
            said.append(f"{package}: {one}, now {other}")
    return said


# In process


def _experiment_changes(old: Results, new: Results, threshold: float) -> list[Change]:
    before = {one.key: one for one in old.experiments if len(one.processes) > 1}
    found = []
    for one in new.experiments:
        if len(one.processes) > 1 and one.key in before:
            found += _changes(before[one.key], one, threshold)
    return found


def _changes(old: ExperimentResult, new: ExperimentResult, threshold: float) -> list[Change]:
    """Return the changes of an experiment. An increase within the noise of either run is not called slower."""
    limit = max(threshold, summarise_experiment(old).reach, summarise_experiment(new).reach)
    common = [name for name in new.contenders if name in old.contenders]
    skipped = {FLOOR, *(name + AGAIN_SUFFIX for name in new.contenders)}
    found = []
    for name in common:
        if name not in skipped:
            (cost_old, in_old), (cost_new, in_new) = (_cost(one, name, FLOOR in common) for one in (old, new))
            found.append(Change(new.key, name, cost_old.value, cost_new.value, _ratio(in_old, in_new), limit))
    return found


def _cost(one: ExperimentResult, name: str, by_callable: bool) -> tuple[Estimate, Estimate]:
    """Return the cost of the application ``name`` in µs, and the logarithm of its ratio to the cost of the yardstick.

    The yardstick is the bare callable if ``by_callable`` is true, otherwise the driver.
    """
    driver = driver_of(one, name)
    own = net(one.column(name), driver)
    stick: Figure = net(one.column(FLOOR)) if by_callable else lambda cost: cost[..., driver]

    def in_sticks(cost: FloatArray) -> FloatArray:
        # The cost of a part that costs nothing may be negative in some resamples.
        logarithm: FloatArray = np.log(np.maximum(own(cost), 1e-6) / stick(cost))
        return logarithm

    cost, sticks = estimate(matrices(one), [own, in_sticks])
    return cost, sticks


def _ratio(old: Estimate, new: Estimate) -> Estimate:
    """Return the ratio of two costs, new ÷ old. The arguments are the logarithms of the costs in independent runs."""
    middle, reach = new.value - old.value, math.hypot(old.half_width, new.half_width)
    return Estimate(*(math.exp(min(part, 50.0)) for part in (middle, middle - reach, middle + reach)))


def verdict(ratio: Estimate, threshold: float) -> str:
    """Return the verdict on the interval of a ratio.

    - ``"slower"``: the whole interval is above 1 + ``threshold``.
    - ``"faster"``: the whole interval is below 1 - ``threshold``.
    - ``"open"``: only a part of the interval is above 1 + ``threshold``.
    - ``"same"``: all other cases.
    """
    if ratio.low > 1 + threshold:
        return "slower"
    if ratio.high < 1 - threshold:
        return "faster"
    return "same" if ratio.high <= 1 + threshold else "open"


# Served


def _load_changes(old: Results, new: Results, threshold: float) -> list[Change]:
    """Return the changes of the server's CPU time per request, for loads at a fixed rate that are in both files.

    A service with fewer than two repetitions in a file is omitted, and so is the bare callable.
    """
    before = {one.key: one for one in old.loads if one.mode == "rate"}
    found = []
    for one in new.loads:
        if one.mode != "rate" or one.key not in before:
            continue
        for name in one.services:
            logs_old, logs_new = _logs(before[one.key], name), _logs(one, name)
            if name != FLOOR and min(len(logs_old), len(logs_new)) > 1:
                ratio = _ratio(student_estimate(logs_old), student_estimate(logs_new))
                costs = _mean_cpu(before[one.key], name), _mean_cpu(one, name)
                found.append(Change(one.key, name, *costs, ratio, threshold))
    return found


def _logs(load: LoadResult, name: str) -> list[float]:
    cpu = {(run.pair, run.service): run.server_cpu_us for run in load.runs}
    pairs = sorted(pair for pair, service in cpu if service == name)
    if FLOOR in load.services:
        return [math.log(cpu[pair, name] / cpu[pair, FLOOR]) for pair in pairs if (pair, FLOOR) in cpu]
    return [math.log(cpu[pair, name]) for pair in pairs if cpu[pair, name] > 0]


def _mean_cpu(load: LoadResult, name: str) -> float:
    return float(np.mean([run.server_cpu_us for run in load.runs if run.service == name]))


def table(found: Comparison) -> Table:
    """Return the table of all changes, the largest increase first."""
    heads = ["", "measured in", "old µs", "new µs", "new ÷ old", "95 % interval", ""]
    rows = [
        [one.name, one.where, number(one.old), number(one.new), *cells(one.ratio),
         WORDS[one.verdict].format(threshold=one.threshold)]
        for one in sorted(found.changes, key=lambda one: -one.ratio.value)
    ]  # fmt: skip
    note = (
        f"new ÷ old is the ratio of the costs after each is divided by the cost of the {FLOOR}, or of the driver, in"
        f" the same run. If the {FLOOR} was not served, CPU times behind a server are not divided."
    )
    return Table("New against old", heads, rows, note)
