"""Compute the figures of a result file: costs, what each step adds, ratios, and verdicts on goals.

A *contender* is an application that is measured in an experiment. A *ladder* is an experiment in which each contender
adds something to the contender before it. A *driver* is a contender that does nothing: its cost is the cost of calling
an application, and is subtracted from each cost. A *round* times each contender once. Ratios and differences compare
costs of the same rounds (see ``instrument/stats.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtests.curve import Curve
from loadtests.curve import summarise as summarise_curve
from loadtests.heat import Heat
from loadtests.heat import summarise as summarise_heat
from loadtests.instrument.imports import MODULES, NOTHING
from loadtests.instrument.results import ExperimentResult, Import, Results
from loadtests.instrument.stats import Estimate, Figure, estimate, student_estimate, student_ratio
from loadtests.report.figures import difference, matrices, net, quotient, ratio
from loadtests.report.loads import LatencySummary, LoadSummary, summarise_latencies, summarise_load
from loadtests.rungs.phases import PHASES
from loadtests.studies import MODELS, STUDIES, WHERE, Goal, phase_name

# The report calls an experiment noisy if an application appears to differ from itself by more than this share.
NOISE_LIMIT = 0.03
# A contender whose name ends with this suffix is an application that is measured a second time, to measure the noise.
AGAIN_SUFFIX = " again"


@dataclass(frozen=True)
class Cost:
    """The cost of one contender in µs per request, without the cost of the driver.

    ``to_reference`` is this cost divided by the cost of the experiment's reference. ``step`` is this cost minus the
    cost of the previous contender. ``step`` is None for the first contender, and in an experiment that is not a ladder.
    """

    name: str
    cost: Estimate
    to_reference: Estimate
    step: Estimate | None = None


@dataclass(frozen=True)
class ExperimentSummary:
    """The figures of one experiment.

    ``costs`` has the contenders without the drivers. ``driver`` is the cost of the WSGI driver. ``rounds`` is the
    number of rounds of the process with the fewest rounds.

    If an application was measured twice, ``itself`` is the ratio of its two costs, and ``costs`` has only the first
    cost. Otherwise ``itself`` is None.
    """

    key: str
    title: str
    reference: str
    ladder: bool
    clock: str
    processes: int
    rounds: int
    driver: Estimate
    costs: list[Cost]
    itself: Estimate | None

    @property
    def reach(self) -> float:
        """The noise: the largest share by which an application may differ from itself, according to ``itself``.

        If no application was measured twice, the noise is 0.
        """
        return 0.0 if self.itself is None else max(abs(self.itself.low - 1), abs(self.itself.high - 1))

    @property
    def noisy(self) -> bool:
        """Whether the noise is so large that the report must warn about it."""
        return self.reach > NOISE_LIMIT

    def cost(self, name: str) -> Cost:
        """Return the cost of the contender ``name``. Raises KeyError if ``costs`` does not have this contender."""
        return {cost.name: cost for cost in self.costs}[name]


@dataclass(frozen=True)
class GoalSummary:
    """A goal, the measured ratio, and the verdict: reached, missed or open."""

    goal: Goal
    found: Estimate
    verdict: str


@dataclass(frozen=True)
class PhaseCost:
    """One phase of a request, or the whole request: its cost in µs in Flask and in wsgi_core."""

    name: str
    flask: Estimate
    core: Estimate


@dataclass(frozen=True)
class Summary:
    """All figures of a result file. ``curve`` and ``heat`` are None if the file lacks the measurements for them.

    ``waited`` is the share of the measured time in which the measuring processes did not run.
    """

    experiments: list[ExperimentSummary] = field(default_factory=list)
    loads: list[LoadSummary] = field(default_factory=list)
    latencies: list[LatencySummary] = field(default_factory=list)
    imports: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    goals: list[GoalSummary] = field(default_factory=list)
    phases: list[PhaseCost] = field(default_factory=list)
    waited: float = 0.0
    curve: Curve | None = None
    heat: Heat | None = None

    def experiment(self, key: str) -> ExperimentSummary | None:
        """Return the experiment with the key ``key``, or None if the summary does not have it."""
        return next((one for one in self.experiments if one.key == key), None)


def summarise(results: Results) -> Summary:
    """Return the summary of a result file. Measurements without samples are omitted.

    ``experiments`` omits the experiments of the group ``MODELS``, which are only in ``curve``, and the experiment that
    is only in ``phases``. The ladders stay in ``experiments``, even if ``curve`` also uses them.
    """
    measured = [one for one in results.experiments if one.processes and one.group != MODELS]
    experiments = [summarise_experiment(one) for one in measured if one.key != WHERE.key]
    phases = [phase for one in measured if one.key == WHERE.key for phase in summarise_phases(one)]
    loads = [summarise_load(one) for one in results.loads if one.runs]
    latencies = [found for one in results.latencies if one.runs for found in summarise_latencies(one)]
    imports = summarise_imports(results.imports)
    goals = _goals(results, loads)
    curve, heat = summarise_curve(results), summarise_heat(results)
    return Summary(experiments, loads, latencies, imports, goals, phases, waited(results), curve, heat)


def waited(results: Results) -> float:
    """Return the share of the measured wall time in which the measuring processes did not run on a CPU."""
    blocks = [block for one in results.experiments for process in one.processes for block in process.blocks]
    wall = sum(block.wall_ns for block in blocks)
    return max(0.0, 1 - sum(block.cpu_ns for block in blocks) / wall) if wall else 0.0


# In process


def summarise_experiment(result: ExperimentResult) -> ExperimentSummary:
    """Return the summary of one experiment. All intervals come from the same bootstrap resamples."""
    tables = matrices(result)
    nets = {name: net(result.column(name), driver_of(result, name)) for name in result.contenders}
    again = [name for name in nets if name.endswith(AGAIN_SUFFIX)]
    shown = [name for name in nets if name not in again and name not in result.drivers.values()]
    steps = zip(shown[1:], shown, strict=False) if result.ladder else ()
    figures: dict[tuple[str, str], Figure] = {("driver", ""): lambda cost: cost[..., 0]}
    figures |= {("cost", name): nets[name] for name in shown}
    figures |= {("ratio", name): quotient(nets[name], nets[result.reference]) for name in shown}
    figures |= {("step", one): difference(result.column(one), result.column(other)) for one, other in steps}
    figures |= {("again", name): quotient(nets[name], nets[name.removesuffix(AGAIN_SUFFIX)]) for name in again}
    found = dict(zip(figures, estimate(tables, list(figures.values())), strict=True))
    return ExperimentSummary(
        key=result.key,
        title=result.title,
        reference=result.reference,
        ladder=result.ladder,
        clock=result.processes[0].clock,
        processes=len(result.processes),
        rounds=min(map(len, tables)),
        driver=found["driver", ""],
        costs=[Cost(name, found["cost", name], found["ratio", name], found.get(("step", name))) for name in shown],
        itself=found["again", again[-1]] if again else None,
    )


def driver_of(result: ExperimentResult, name: str) -> int:
    """Return the column of the driver whose cost is subtracted for the contender ``name``. 0 is the WSGI driver."""
    return result.column(result.drivers[name]) if name in result.drivers else 0


def summarise_phases(result: ExperimentResult) -> list[PhaseCost]:
    """Return the cost of each phase in Flask and in wsgi_core, and last the cost of the whole request."""
    flask, core = ([result.column(phase_name(side, phase)) for phase in PHASES] for side in ("Flask", "wsgi_core"))
    found = estimate(matrices(result), [*_steps(flask), *_steps(core)])
    half = len(PHASES) + 1
    return [PhaseCost(*parts) for parts in zip((*PHASES, "the whole"), found[:half], found[half:], strict=True)]


def _steps(prefixes: Sequence[int]) -> list[Figure]:
    """Return functions that compute the cost of each phase of one framework, and last the cost of the whole request.

    ``prefixes`` has a column for each phase: the column of the contender that runs a request up to the end of the
    phase.
    """
    pairs = zip(prefixes, (0, *prefixes), strict=False)
    return [*(difference(one, before) for one, before in pairs), net(prefixes[-1])]


# Imports

IMPORT_UNITS = {"wall_ms": 1.0, "cpu_ms": 1.0, "memory_kb": 1024.0}


def _import_rounds(imports: Sequence[Import]) -> list[dict[str, Import]]:
    """Return the rounds in which all modules were imported. Each round is a dict from the module to its import."""
    rounds: dict[int, dict[str, Import]] = {}
    for one in imports:
        rounds.setdefault(one.round, {})[one.module] = one
    return [of for of in rounds.values() if len(of) == len(MODULES)]


def _over_nothing(rounds: Sequence[dict[str, Import]], module: str, attribute: str) -> list[float]:
    return [float(getattr(of[module], attribute) - getattr(of[NOTHING], attribute)) for of in rounds]


def summarise_imports(imports: Sequence[Import]) -> dict[str, dict[str, Estimate]]:
    """Return what the import of each module adds to an interpreter: wall and CPU time in ms, and memory in MiB.

    Only rounds that imported every module are used. If there is no such round, return an empty dict.
    """
    rounds = _import_rounds(imports)
    if not rounds:
        return {}
    return {
        module: {
            attribute: student_estimate([value / unit for value in _over_nothing(rounds, module, attribute)])
            for attribute, unit in IMPORT_UNITS.items()
        }
        for module in MODULES
        if module != NOTHING
    }


def import_ratio(imports: Sequence[Import], top: str, bottom: str, attribute: str) -> Estimate:
    """Return the ratio of two imports, ``top`` ÷ ``bottom``, in one ``attribute``, such as ``"wall_ms"``.

    The value of an interpreter that imports nothing is subtracted from both.
    """
    rounds = _import_rounds(imports)
    tops, bottoms = (_over_nothing(rounds, module, attribute) for module in (top, bottom))
    return student_ratio(tops, bottoms)


# Goals


def _goals(results: Results, loads: list[LoadSummary]) -> list[GoalSummary]:
    """Return a summary of each goal of the study for which there are samples."""
    goals = STUDIES[results.study].goals if results.study in STUDIES else ()
    found = [(goal, _find(goal, results, loads)) for goal in goals]
    return [GoalSummary(goal, value, verdict(goal, value)) for goal, value in found if value is not None]


def _find(goal: Goal, results: Results, loads: list[LoadSummary]) -> Estimate | None:
    for result in results.experiments:
        if result.key == goal.experiment and result.processes:
            top, bottom = map(result.column, (goal.top, goal.bottom))
            return estimate(matrices(result), [ratio(top, bottom)])[0]
    for load in loads:
        if load.result.key == goal.experiment and load.pairs:
            return load.rates.get((goal.top, goal.bottom))
    attribute = {"import_wall": "wall_ms", "import_memory": "memory_kb"}.get(goal.experiment)
    measured = attribute and _import_rounds(results.imports)
    return import_ratio(results.imports, goal.top, goal.bottom, attribute) if attribute and measured else None


def verdict(goal: Goal, found: Estimate) -> str:
    """Return the verdict on a goal: ``"reached"``, ``"missed"`` or ``"open"``.

    The goal is reached if the whole interval of ``found`` meets it, and missed if no part of the interval meets it.
    """
    if goal.at_most:
        reached, missed = found.high <= goal.limit, found.low > goal.limit
    else:
        reached, missed = found.low >= goal.limit, found.high < goal.limit
    return "reached" if reached else "missed" if missed else "open"
