"""The summary as tables of text: one form for the terminal, the page and the README."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import (
    Cost,
    ExperimentSummary,
    GoalSummary,
    LatencySummary,
    LoadSummary,
    PhaseCost,
    Summary,
    law_holds,
)  # fmt: skip
from loadtests.studies import LIBRARY, WHERE

# From these shares on a reader is told that the machine was busy with something else.
BUSY_PERCENT = 20
WAITED = 0.05
STOLEN = 0.01


GENERATORS = {"locust": "Locust", "closed loop": "an open loop"}


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, rows of text, and a line of explanation below."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""
    marks: list[str] = field(default_factory=list)


def number(value: float, digits: int = 3) -> str:
    """``value`` to so many significant digits, without an exponent: 0.3142, 21.4, 3,800."""
    if not math.isfinite(value):
        return "?"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def interval(value: Estimate, digits: int = 3) -> str:
    """``low to high``, to the digits that the value is given with."""
    if not (math.isfinite(value.low) and math.isfinite(value.high)):
        return "unknown"
    return f"{number(value.low, digits)} to {number(value.high, digits)}"


def of(results: Results, summary: Summary) -> list[Table]:
    """All tables of a result file, in the order in which they are read."""
    tables = [experiment_table(one) for one in summary.experiments if not _is_case(one)]
    cases = [one for one in summary.experiments if _is_case(one)]
    if cases:
        tables.append(case_table(cases))
    if summary.phases:
        tables.append(phase_table(summary.phases))
    tables += [load_table(one) for one in summary.loads]
    tables += _latency_tables(summary)
    if summary.imports:
        tables.append(import_table(summary))
    if summary.goals:
        tables.append(goal_table(summary.goals))
    return tables


def _is_case(one: ExperimentSummary) -> bool:
    """A case has both frameworks, at most a library beside them, and no ladder: several of them share a table."""
    return len(one.costs) <= 3 and not one.ladder and one.itself is None


def experiment_table(one: ExperimentSummary) -> Table:
    """What each contender costs, what each step of a ladder adds, and the ratios."""
    heads = ["", "µs a request", "95 % interval"]
    heads += ["the step adds", "95 % interval"] if one.ladder else []
    heads += [f"÷ {one.reference}", "95 % interval"]
    clock = "CPU" if one.clock == "cpu" else "Wall"
    note = f"{clock} time in process, {one.processes} processes of {one.rounds} rounds or more."
    note += f" The driver's own {number(one.driver.value)} µs are taken off."
    if one.ladder and any(cost.step and cost.step.value < 0 for cost in one.costs):
        note += " A step below 0 does with less what the rungs before it do."
    if one.itself:
        note += f" wsgi_core measured against itself: {number(one.itself.value, 4)} ({interval(one.itself, 4)})."
    return Table(one.title, heads, [_cost_row(cost, one.ladder) for cost in one.costs], note)


def _cost_row(cost: Cost, ladder: bool) -> list[str]:
    row = [cost.name, number(cost.cost.value), interval(cost.cost)]
    if ladder:
        row += [number(cost.step.value), interval(cost.step)] if cost.step else ["", ""]
    if cost.to_reference.low == cost.to_reference.high:
        return [*row, "1", ""]
    return [*row, number(cost.to_reference.value), interval(cost.to_reference)]


def case_table(cases: list[ExperimentSummary]) -> Table:
    """Cases of the two frameworks, one in a row, with the library's own part where there is one."""
    names = [cost.name for cost in cases[0].costs]
    heads = ["", *(f"{name}, µs" for name in names), f"÷ {cases[0].reference}", "95 % interval", f"{LIBRARY}, µs"]
    rows = []
    for one in cases:
        costs = [number(one.cost(name).cost.value) for name in names]
        share = one.cost(names[0]).to_reference
        library = [number(cost.cost.value) for cost in one.costs if cost.name == LIBRARY]
        rows.append([one.title, *costs, number(share.value), interval(share), *(library or [""])])
    return Table("Case by case", heads, rows, "CPU time in process, the driver's own taken off.")


def phase_table(phases: list[PhaseCost]) -> Table:
    """Where the time of a request goes, on both sides."""
    heads = ["", "Flask, µs", "95 % interval", "wsgi_core, µs", "95 % interval"]
    rows = [
        [one.name, number(one.flask.value), interval(one.flask), number(one.core.value), interval(one.core)]
        for one in phases
    ]
    note = "CPU time in process of each phase: what the request up to its end costs more than up to its beginning."
    return Table(WHERE.title, heads, rows, note)


def load_table(one: LoadSummary) -> Table:
    """Services under load: CPU time at a fixed rate, or the rate at saturation and what bounded it."""
    return rate_table(one) if one.mode == "rate" else saturation_table(one)


def rate_table(one: LoadSummary) -> Table:
    """CPU time of the server process for a request, at the same rate for all: the figure to quote."""
    reference = one.services[-1].name
    heads = [
        "",
        "server CPU µs/request",
        "95 % interval",
        f"÷ {reference}",
        "requests/s",
        "server CPU",
        "generator CPU",
    ]
    rows = []
    for service in one.services:
        cpu = service.server_cpu_us
        row = [service.name, number(cpu.value), interval(cpu), _ratio(one.cpu.get((service.name, reference)))]
        row += [number(service.requests_per_second.value), f"{service.server_share:.0%}"]
        rows.append([*row, f"{service.generator_share:.0%}"])
    title = f"{one.title}: CPU time at {number(one.rate)} requests a second"
    return Table(title, heads, rows, f"{_pairs(one)}. Paced by {GENERATORS[one.generator]}. Shares of one core.")


def saturation_table(one: LoadSummary) -> Table:
    """Rates with as many requests as it takes, what bounded them, and the latencies of that closed loop."""
    reference = one.services[-1].name
    percentiles = [key for key in ("p50", "p95", "p99") if key in one.services[0].latencies_ms]
    heads = ["", "requests/s", f"÷ {reference}", "server CPU µs/request", f"÷ {reference}"]
    heads += [*(f"{key} ms" for key in percentiles), "in flight", "server CPU", "generator CPU", "bound by"]
    rows = []
    for service in one.services:
        rate, cpu = one.rates.get((service.name, reference)), one.cpu.get((service.name, reference))
        row = [service.name, number(service.requests_per_second.value), _ratio(rate)]
        row += [number(service.server_cpu_us.value), _ratio(cpu)]
        row += [number(service.latencies_ms[key]) for key in percentiles]
        row += [f"{service.in_flight:.1f} of {one.users}", f"{service.server_share:.0%}"]
        rows.append([*row, f"{service.generator_share:.0%}", service.bound_by])
    note = (
        f"{_pairs(one)}; {one.users} clients without a pause. In flight: rate times mean latency (Little's law), by"
        " which all clients but for their own time have a request under way. Latencies are those of a closed loop."
        " No request failed: one that does ends the run. Shares of one core."
    )
    return Table(f"{one.title}: saturation", heads, rows, note)


def _pairs(one: LoadSummary) -> str:
    generator = f"; {one.generator_processes} generator processes" if one.generator_processes > 1 else ""
    return (
        f"{one.pairs} pairs of runs in turn, each with new server processes, {one.server_threads} server threads"
        f"{generator}"
    )


def latency_table(found: list[LatencySummary]) -> Table:
    """Latencies at several rates: in an open loop, and as Locust's closed loop shows them."""
    names = list(dict.fromkeys(name for one in found for name in one.latencies_ms if name != "p95"))
    heads = ["", "requests/s asked", "counted", *(f"{name} ms" for name in names), "requests/s", "generator CPU", "lag"]
    rows = []
    for one in found:
        counted = "from the intended start" if one.generator == "open loop" else "closed loop (Locust)"
        row = [one.service, number(one.asked), counted]
        row += [number(one.latencies_ms[name].value) if name in one.latencies_ms else "" for name in names]
        row += [number(one.reached.value), f"{one.generator_share:.0%}"]
        rows.append([*row, f"{number(one.lag_ms)} ms" if one.generator == "open loop" else ""])
    shares = ", ".join(f"{share:.0%}" for share in dict.fromkeys(one.share for one in found))
    note = (
        f"Means over {found[0].runs} runs; the rates are {shares} of what the slowest of them can do. An open loop"
        " starts requests when they are due, whether or not the server has answered; a closed loop waits, and leaves"
        " out those that would have come meanwhile. Lag: by how much the open-loop generator itself was late, at p99."
    )
    return Table(f"{found[0].title}: latency", heads, rows, note)


def _latency_tables(summary: Summary) -> list[Table]:
    keys = dict.fromkeys(one.key for one in summary.latencies)
    return [latency_table([one for one in summary.latencies if one.key == key]) for key in keys]


def _ratio(value: Estimate | None) -> str:
    return f"{number(value.value)} ({interval(value)})" if value else "1"


def import_table(summary: Summary) -> Table:
    """What an import costs."""
    heads = ["", "wall ms", "95 % interval", "CPU ms", "95 % interval", "memory MB", "95 % interval"]
    rows = []
    for module, parts in summary.imports.items():
        row = [f"import {module}"]
        for value in parts.values():
            row += [number(value.value), interval(value)]
        rows.append(row)
    return Table("Imports", heads, rows, "Fresh interpreters in turn, over what a bare one needs.")


def goal_table(goals: list[GoalSummary]) -> Table:
    """The goals of the study with what was found."""
    heads = ["figure", "found", "95 % interval", "goal", ""]
    rows = [[one.goal.text, number(one.found.value), interval(one.found), _limit(one), one.verdict] for one in goals]
    note = "reached, missed: the whole interval is on that side of the goal; open: it is on both."
    return Table("Goals", heads, rows, note, [one.verdict for one in goals])


def _limit(one: GoalSummary) -> str:
    return f"{'≤' if one.goal.at_most else '≥'} {one.goal.limit:g}"


def sentences(results: Results, summary: Summary) -> list[str]:
    """What was found, in words; claims only that the intervals carry."""
    said = [f"{one.title}: {_gap(one)}." for one in summary.experiments if one.ladder]
    at_a_rate = {load.title for load in summary.loads if load.mode == "rate"}
    for load in summary.loads:
        if load.mode == "rate" or load.title not in at_a_rate:
            said.append(f"{load.title}: {_served_gap(load)}.")
    return said


def _served_gap(load: LoadSummary) -> str:
    """The last service against the project's own or, where that one is not served, the one before it."""
    last = load.services[-1].name
    others = [service.name for service in load.services[:-1]]
    first = "wsgi_core" if "wsgi_core" in others else others[-1]
    return claim(last, first, _negative(load.cpu_differences[first, last]), unit="µs of server CPU")


def claim(one: str, other: str, gap: Estimate, floor: float = 0.0, unit: str = "µs") -> str:
    """What may be said of ``gap``, the cost of ``one`` less that of ``other``.

    Nothing, unless the whole interval lies on one side of 0 and further from it than ``floor``, by which an app may
    seem to differ from itself.
    """
    more = gap.value > 0
    size = gap if more else Estimate(-gap.value, -gap.high, -gap.low)
    if size.low <= floor:
        return f"no difference between {one} and {other} can be claimed ({interval(gap)} {unit})"
    return f"{one} costs {number(size.value)} {unit} {'more' if more else 'less'} than {other} ({interval(size)})"


def _negative(value: Estimate) -> Estimate:
    return Estimate(-value.value, -value.high, -value.low)


def _gap(one: ExperimentSummary) -> str:
    last, before = one.costs[-1], one.costs[-2]
    if one.whole and one.reference == one.costs[0].name:
        return claim(last.name, one.reference, one.whole)
    return claim(last.name, before.name, last.step or last.cost, one.reach * before.cost.value)


def warnings(results: Results, summary: Summary) -> list[str]:
    """What a reader has to know before believing a figure."""
    noisy = [one for one in summary.experiments if one.noisy]
    said = [f"noisy: {one.title}: differences below {one.reach:.0%} are not claimed" for one in noisy]
    if results.left_out:
        said.append(
            f"{results.left_out} of the planned steps were left out to end in time: the machine is slow or busy"
        )
    said += _about_loads(summary)
    said += results.skipped + results.notes
    if results.partial:
        said.append("partial: the run was interrupted; figures are of what was measured until then")
    if (busy := results.environment.get("cpu_percent", 0)) > BUSY_PERCENT:
        said.append(f"the machine was {busy:.0f} % busy before the run")
    stolen = results.environment_after.get("stolen_seconds", 0) - results.environment.get("stolen_seconds", 0)
    if stolen > STOLEN * results.seconds:
        said.append(f"the host took {stolen:.1f} s of CPU time from this machine during the run")
    if summary.waited > WAITED:
        said.append(f"the measuring processes waited {summary.waited:.0%} of their time for a CPU: others were busy")
    if results.environment_after and results.environment_after["revision"] != results.environment["revision"]:
        said.append("the code changed during the run")
    if any(one.clock == "wall" for one in summary.experiments):
        said.append("the CPU clock of this system is too coarse: in process wall time was used")
    if results.rows.find("drawn") >= 0:
        said.append(f"no real rows: {results.rows}")
    return said


def _about_loads(summary: Summary) -> list[str]:
    """Runs that the generator bounded, or whose counts do not agree with each other."""
    said = []
    for load in summary.loads:
        for one in load.services:
            where = f"{load.title}, {one.name}"
            if one.bound_by == "generator":
                said.append(f"{where}: the load generator used {one.generator_share:.0%} of a core: it bounded the run")
            if load.mode == "saturation" and not law_holds(one, load.users):
                said.append(f"{where}: {one.in_flight:.1f} requests under way for {load.users} clients (Little's law)")
    return said
