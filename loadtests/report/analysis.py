"""Compute the figures of a result file: costs, what each step adds, ratios, and verdicts on goals.

The figures are computed again from the values in the file. For measurements in process, the cost of the driver (the
code that calls the application) is subtracted from each cost, and ratios and differences are paired within rounds and
processes (``stats.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtests.instrument.imports import MODULES, NOTHING
from loadtests.instrument.results import (
    ExperimentResult,
    Import,
    LatencyResult,
    LatencyRun,
    LoadResult,
    Process,
    Results,
    Run,
)
from loadtests.instrument.stats import Estimate, Figure, FloatArray, estimate, student_estimate, student_ratio
from loadtests.rungs.phases import PHASES
from loadtests.studies import MODELS, STUDIES, WHERE, Goal, phase_name

# The report calls an experiment noisy if an application appears to differ from itself by more than this share.
NOISE_LIMIT = 0.03
# A load generator or a server that uses more than this share of a core may limit the rate.
GENERATOR_LIMIT = 0.7
SERVER_LIMIT = 0.85
# In a closed loop, each client has one request in flight, except while the client itself works. More requests than
# clients, apart from those at the edges of a short window, mean that the count is wrong. Far fewer requests mean that
# the clients were too slow.
MOST_IN_FLIGHT, LEAST_IN_FLIGHT = 1.05, 0.7
# A contender whose name ends with this suffix is an application that is measured a second time, to measure the noise.
AGAIN_SUFFIX = " again"


@dataclass(frozen=True)
class Cost:
    """One contender: its µs per request without the driver's, its ratio to the reference, and its step.

    The µs are CPU time or, if the CPU clock is too coarse, wall time. ``step`` is what the contender adds to the
    contender before it, or None.
    """

    name: str
    cost: Estimate
    to_reference: Estimate
    step: Estimate | None = None


@dataclass(frozen=True)
class ExperimentSummary:
    """One experiment: its contenders, the driver's cost, and ``itself``.

    If an application was measured twice, ``itself`` is the ratio of its two costs, which shows the noise.
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
        """The noise of this experiment: how much an application appears to differ from itself, as a share of its cost.

        It is 0 if no application was measured twice.
        """
        return 0.0 if self.itself is None else max(abs(self.itself.low - 1), abs(self.itself.high - 1))

    @property
    def noisy(self) -> bool:
        """Whether the noise is so large that the report must warn about it."""
        return self.reach > NOISE_LIMIT

    def cost(self, name: str) -> Cost:
        """Return the costs of the contender ``name``. Raises KeyError for an unknown name."""
        return {cost.name: cost for cost in self.costs}[name]


@dataclass(frozen=True)
class Served:
    """One service under load: the means over its windows."""

    name: str
    requests_per_second: Estimate
    server_cpu_us: Estimate
    latencies_ms: dict[str, float]
    generator_share: float
    bound_by: str
    server_share: float = 0.0
    in_flight: float = 0.0


@dataclass(frozen=True)
class LoadSummary:
    """Services that were loaded in turn, and how each service compares with every other service.

    ``rates`` and ``cpu`` are paired ratios of the rates and of the CPU times: ``rates["a", "b"]`` is the rate of
    service a divided by that of b. ``cpu_differences`` are paired differences of the CPU times in µs.
    """

    result: LoadResult
    pairs: int
    services: list[Served]
    rates: dict[tuple[str, str], Estimate]
    cpu: dict[tuple[str, str], Estimate]
    cpu_differences: dict[tuple[str, str], Estimate]


@dataclass(frozen=True)
class LatencySummary:
    """One service at one rate with one generator: percentiles in ms, each with its interval over the runs.

    A percentile is omitted if less than one request of a run lies above it. ``lag_ms`` is the mean over the runs of the
    99th percentile of the open-loop generator's own delay. ``asked`` is the intended rate and ``reached`` the actual
    rate, in requests a second.
    """

    result: LatencyResult
    service: str
    generator: str
    share: float
    asked: float
    reached: Estimate
    latencies_ms: dict[str, Estimate]
    generator_share: float
    lag_ms: float
    runs: int


@dataclass(frozen=True)
class GoalSummary:
    """A goal, the measured ratio, and the verdict: reached, missed or open."""

    goal: Goal
    found: Estimate
    verdict: str


@dataclass(frozen=True)
class PhaseCost:
    """One phase of a request, or the whole request: its µs in Flask and in the core.

    The µs are CPU time or, if the CPU clock is too coarse, wall time.
    """

    name: str
    flask: Estimate
    core: Estimate


@dataclass(frozen=True)
class Summary:
    """The figures of a result file, except those of ``curve.py`` and ``heat.py``."""

    experiments: list[ExperimentSummary] = field(default_factory=list)
    loads: list[LoadSummary] = field(default_factory=list)
    latencies: list[LatencySummary] = field(default_factory=list)
    imports: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    goals: list[GoalSummary] = field(default_factory=list)
    phases: list[PhaseCost] = field(default_factory=list)
    waited: float = 0.0

    def experiment(self, key: str) -> ExperimentSummary | None:
        """Return the experiment with the key ``key``, or None if the summary does not have it."""
        return next((one for one in self.experiments if one.key == key), None)


def summarise(results: Results) -> Summary:
    """Return the summary of a result file. Parts without samples and the experiments of the curve are omitted."""
    measured = [one for one in results.experiments if one.processes and one.group != MODELS]
    experiments = [summarise_experiment(one) for one in measured if one.key != WHERE.key]
    phases = [phase for one in measured if one.key == WHERE.key for phase in summarise_phases(one)]
    loads = [summarise_load(one) for one in results.loads if one.runs]
    latencies = [found for one in results.latencies if one.runs for found in summarise_latencies(one)]
    imports = summarise_imports(results.imports)
    goals = _goals(results, loads)
    return Summary(experiments, loads, latencies, imports, goals, phases, waited(results))


def waited(results: Results) -> float:
    """Return the share of the blocks' wall time in which the process did not run: near 0 on an idle machine."""
    blocks = [block for one in results.experiments for process in one.processes for block in process.blocks]
    wall = sum(block.wall_ns for block in blocks)
    return max(0.0, 1 - sum(block.cpu_ns for block in blocks) / wall) if wall else 0.0


# In process


def matrix(process: Process, contenders: int) -> FloatArray:
    """Return the blocks of one process as µs per request, in the shape (rounds, 1 + contenders).

    Column 0 is the driver. The µs are CPU time or wall time, as the process's ``clock`` says. Incomplete rounds are
    dropped.
    """
    rounds: dict[int, list[float]] = {}
    for block in process.blocks:
        row = rounds.setdefault(block.round, [np.nan] * (contenders + 1))
        row[block.contender] = (block.cpu_ns if process.clock == "cpu" else block.wall_ns) / block.requests / 1000
    table = np.array(list(rounds.values()), dtype=np.float64)
    return table[~np.isnan(table).any(axis=1)]


def matrices(result: ExperimentResult) -> list[FloatArray]:
    """Return one matrix for each process."""
    return [matrix(process, len(result.contenders)) for process in result.processes]


def net(index: int, driver: int = 0) -> Figure:
    """Return the figure "cost of contender ``index`` minus the cost of the driver"."""
    return lambda cost: cost[..., index] - cost[..., driver]


def difference(one: int, other: int) -> Figure:
    """Return the figure "cost of contender ``one`` minus the cost of contender ``other``"."""
    return lambda cost: cost[..., one] - cost[..., other]


def ratio(top: int, bottom: int) -> Figure:
    """Return the figure "net cost of contender ``top`` divided by the net cost of contender ``bottom``"."""
    return quotient(net(top), net(bottom))


def quotient(top: Figure, bottom: Figure) -> Figure:
    """Return the figure "``top`` divided by ``bottom``"."""
    return lambda cost: top(cost) / bottom(cost)


def summarise_experiment(result: ExperimentResult) -> ExperimentSummary:
    """Return the summary of one experiment. All its intervals come from the same resamples."""
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
    """Return the column of the driver whose cost is part of the contender ``name``: WSGI's, or ASGI's."""
    return result.column(result.drivers[name]) if name in result.drivers else 0


def summarise_phases(result: ExperimentResult) -> list[PhaseCost]:
    """Return the cost of each phase in Flask and in the core, and last the cost of the whole request."""
    flask, core = ([result.column(phase_name(side, phase)) for phase in PHASES] for side in ("Flask", "wsgi_core"))
    found = estimate(matrices(result), [*_steps(flask), *_steps(core)])
    half = len(PHASES) + 1
    return [PhaseCost(*parts) for parts in zip((*PHASES, "the whole"), found[:half], found[half:], strict=True)]


def _steps(prefixes: Sequence[int]) -> list[Figure]:
    """Return the figures for the phases of one framework, and last for the whole request.

    The cost of a phase is the cost of its prefix minus that of the prefix before it or, for the first phase, of the
    driver.
    """
    pairs = zip(prefixes, (0, *prefixes), strict=False)
    return [*(difference(one, before) for one, before in pairs), net(prefixes[-1])]


# Served


def summarise_load(result: LoadResult) -> LoadSummary:
    """Return the summary of a load. The ratios and differences are paired: both services were measured in the same
    pair.
    """
    pairs = _complete_pairs(result)
    ordered = [(one, other) for one in result.services for other in result.services if one != other]
    return LoadSummary(
        result=result,
        pairs=len(pairs),
        services=[_served(result, name) for name in result.services],
        rates={(a, b): _paired_ratio(pairs, a, b, "requests_per_second") for a, b in ordered},
        cpu={(a, b): _paired_ratio(pairs, a, b, "server_cpu_us") for a, b in ordered},
        cpu_differences={(a, b): _paired_difference(pairs, a, b) for a, b in ordered},
    )


def _complete_pairs(result: LoadResult) -> list[dict[str, Run]]:
    pairs: dict[int, dict[str, Run]] = {}
    for run in result.runs:
        pairs.setdefault(run.pair, {})[run.service] = run
    return [pair for pair in pairs.values() if len(pair) == len(result.services)]


def _paired_ratio(pairs: Sequence[dict[str, Run]], top: str, bottom: str, attribute: str) -> Estimate:
    tops, bottoms = ([getattr(pair[name], attribute) for pair in pairs] for name in (top, bottom))
    return student_ratio(tops, bottoms)


def _paired_difference(pairs: Sequence[dict[str, Run]], one: str, other: str) -> Estimate:
    return student_estimate([pair[one].server_cpu_us - pair[other].server_cpu_us for pair in pairs])


def _served(result: LoadResult, name: str) -> Served:
    runs = [run for run in result.runs if run.service == name]
    latencies = {key: _mean([run.latencies_ms[key] for run in runs]) for key in runs[0].latencies_ms}
    generator = _mean([run.generator_share for run in runs])
    server = _mean([run.server_cpu_seconds / run.seconds for run in runs])
    in_flight = _mean([run.in_flight for run in runs])
    return Served(
        name=name,
        requests_per_second=student_estimate([run.requests_per_second for run in runs]),
        server_cpu_us=student_estimate([run.server_cpu_us for run in runs]),
        latencies_ms=latencies,
        generator_share=generator,
        bound_by=bound_by(server, generator),
        server_share=server,
        in_flight=in_flight,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def bound_by(server_share: float, generator_share: float) -> str:
    """Return what limited the rate: ``"generator"``, ``"server"`` or ``"neither"``.

    A process that uses most of a core is taken to be the limit. The generator is checked first.
    """
    if generator_share >= GENERATOR_LIMIT:
        return "generator"
    return "server" if server_share >= SERVER_LIMIT else "neither"


def law_holds(service: Served, users: int) -> bool:
    """Return whether Little's law holds at saturation: rate times mean latency is about the number of clients.

    The limits allow for the clients' own time between two requests. If the mean latency is unknown, return True.
    """
    return not service.in_flight or LEAST_IN_FLIGHT <= service.in_flight / users <= MOST_IN_FLIGHT


def summarise_latencies(result: LatencyResult) -> list[LatencySummary]:
    """Return a summary for each rate, service and generator. The open loop comes before Locust."""
    found = []
    for rate, share in zip(result.rates, result.shares, strict=True):
        for service in result.services:
            for generator in ("open loop", "locust"):
                runs = [r for r in result.runs if (r.service, r.generator, r.rate) == (service, generator, rate)]
                if runs:
                    found.append(_summarise_latency(result, share, runs))
    return found


def _summarise_latency(result: LatencyResult, share: float, runs: Sequence[LatencyRun]) -> LatencySummary:
    fewest = min(run.requests for run in runs)
    carried = [name for name in runs[0].latencies_ms if fewest * (1 - float(name[1:]) / 100) >= 1]
    return LatencySummary(
        result=result,
        service=runs[0].service,
        generator=runs[0].generator,
        share=share,
        asked=runs[0].rate,
        reached=student_estimate([run.requests_per_second for run in runs]),
        latencies_ms={name: student_estimate([run.latencies_ms[name] for run in runs]) for name in carried},
        generator_share=_mean([run.generator_share for run in runs]),
        lag_ms=_mean([run.lag_ms.get("p99", 0.0) for run in runs]),
        runs=len(runs),
    )


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
    """Return for each module what its import adds to an interpreter: wall and CPU time in ms, and memory in MiB.

    If no round has an import of every module, return an empty dict.
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
    """Return ``attribute`` of the import of ``top`` divided by that of ``bottom``, paired by round.

    What an interpreter without imports needs is subtracted from both.
    """
    rounds = _import_rounds(imports)
    tops, bottoms = (_over_nothing(rounds, module, attribute) for module in (top, bottom))
    return student_ratio(tops, bottoms)


# Goals


def _goals(results: Results, loads: list[LoadSummary]) -> list[GoalSummary]:
    """Return a summary of each goal of the study for which there are samples."""
    found = [(goal, _find(goal, results, loads)) for goal in _goals_of(results.study)]
    return [GoalSummary(goal, value, verdict(goal, value)) for goal, value in found if value is not None]


def _goals_of(study: str) -> tuple[Goal, ...]:
    return STUDIES[study].goals if study in STUDIES else ()


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
    """Return ``"reached"`` if the whole interval meets the goal, ``"missed"`` if no part of it does, otherwise
    ``"open"``.
    """
    if goal.at_most:
        reached, missed = found.high <= goal.limit, found.low > goal.limit
    else:
        reached, missed = found.low >= goal.limit, found.high < goal.limit
    return "reached" if reached else "missed" if missed else "open"
