"""The summary as tables, for the terminal, the page and the README.

A *load* is a measurement behind a server. At *saturation*, clients send requests without a pause.
"""

from __future__ import annotations

import math

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import Cost, ExperimentSummary, GoalSummary, PhaseCost, Summary
from loadtests.report.claims import differs
from loadtests.report.format import Table, cells, interval, number, with_interval
from loadtests.report.loads import LatencySummary, LoadSummary, law_holds
from loadtests.studies import LIBRARY, WHERE

# If more than this percentage of the CPU was busy before the run, the report warns.
BUSY_PERCENT = 20
# The report warns if the load generator's own delay is more than this share of the latency.
LATE = 0.2


# Marks a ratio for which no difference is claimed.
UNCLAIMED = "(≈)"
GENERATORS = {"locust": "Locust", "closed loop": "An open loop"}
# The servers that use the setting for the number of threads.
THREADED = ("waitress", "gthread")


# The page's section of an experiment or a plot, by its key. Other keys belong to the section "more".
SECTIONS = {"null": "ladder", "peers": "peers", "curve": "matter", "heat": "heat"}


def of(results: Results, summary: Summary) -> list[Table]:
    """Return all tables of ``summary``, except the tables of ``summary.curve`` and ``summary.heat``, which other
    modules make.
    """
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
    """Return whether an experiment is shown as a row of ``case_table``, and not in a table of its own."""
    return len(one.costs) <= 3 and not one.ladder and one.itself is None


def experiment_table(one: ExperimentSummary) -> Table:
    """Return the table of an experiment: the costs, what each step of a ladder adds, and the ratios.

    A ladder is an experiment in which each application adds something to the application before it.
    """
    heads = ["", "µs a request", "95 % interval"]
    heads += ["the step adds", "95 % interval"] if one.ladder else []
    heads += [f"÷ {one.reference}", "95 % interval"]
    clock = "CPU" if one.clock == "cpu" else "Wall"
    note = f"{clock} time in process, {one.processes} processes of {one.rounds} rounds or more."
    note += f" The driver's own {number(one.driver.value)} µs are subtracted."
    if one.itself:
        note += (
            f" The ratio of an application to itself, measured twice: {number(one.itself.value, 4)}"
            f" ({interval(one.itself, 4)})."
        )
    if any(not _is_claimed(cost, one) for cost in one.costs):
        note += (
            f" {UNCLAIMED}: no difference from {one.reference} is claimed, because the interval is not farther from 1"
            " than the noise."
        )
    rows = [_cost_row(cost, one) for cost in one.costs]
    return Table(one.title, heads, rows, note, section=SECTIONS.get(one.key, "more"))


def _is_claimed(cost: Cost, one: ExperimentSummary) -> bool:
    return cost.name == one.reference or differs(cost.to_reference, one.reach)


def _cost_row(cost: Cost, one: ExperimentSummary) -> list[str]:
    row = [cost.name, *cells(cost.cost)]
    if one.ladder:
        row += cells(cost.step) if cost.step and is_step(cost, one) else ["", ""]
    if cost.name == one.reference:
        return [*row, "1", ""]
    mark = "" if _is_claimed(cost, one) else f" {UNCLAIMED}"
    value, limits = cells(cost.to_reference)
    return [*row, value, limits + mark]


def is_step(cost: Cost, one: ExperimentSummary) -> bool:
    """Return whether the table shows what the application of ``cost`` adds to the previous application.

    The difference is shown if the name of the application begins with "+", or if the first application is the
    reference.
    """
    return cost.name.startswith("+") or one.reference == one.costs[0].name


def case_table(cases: list[ExperimentSummary]) -> Table:
    """Return a table with a row for each case: the cost of each framework, their ratio, and its 95 % interval.

    A case is one kind of request. If the case also measures a library without a framework, the row ends with this cost.
    """
    names = [cost.name for cost in cases[0].costs]
    heads = ["", *(f"{name}, µs" for name in names), f"÷ {cases[0].reference}", "95 % interval", f"{LIBRARY}, µs"]
    rows = []
    for one in cases:
        costs = [number(one.cost(name).cost.value) for name in names]
        share = one.cost(names[0]).to_reference
        library = [number(cost.cost.value) for cost in one.costs if cost.name == LIBRARY]
        rows.append([one.title, *costs, *cells(share), *(library or [""])])
    return Table("Case by case", heads, rows, "CPU time in process, without the driver's own.")


def phase_table(phases: list[PhaseCost]) -> Table:
    rows = [[one.name, with_interval(one.flask), with_interval(one.core)] for one in phases]
    note = (
        "CPU time in process of each phase: the cost of the request up to its end minus the cost up to its beginning."
    )
    return Table(WHERE.title, ["phase", "Flask, µs", "wsgi_core, µs"], rows, note)


def load_table(one: LoadSummary) -> Table:
    """Return the table of a load: CPU time at a fixed rate, or the rate at saturation and what limited it."""
    return rate_table(one) if one.result.mode == "rate" else saturation_table(one)


def rate_table(one: LoadSummary) -> Table:
    """Return the table of the server's CPU time per request, at the same rate for all services."""
    reference = one.services[-1].name
    heads = ["", "server CPU µs/request", "95 % interval", f"÷ {reference}", "requests/s"]
    heads += ["server CPU", "generator CPU"]
    rows = []
    for service in one.services:
        row = [service.name, *cells(service.server_cpu_us), _ratio(one.cpu.get((service.name, reference)))]
        row += [number(service.requests_per_second.value), f"{service.server_share:.0%}"]
        rows.append([*row, f"{service.generator_share:.0%}"])
    title = f"{one.result.title}: CPU time at {number(one.result.rate)} requests a second"
    note = (
        f"{_pairs(one)}. {GENERATORS[one.result.generator]} sends the requests at this rate. The columns server CPU and"
        " generator CPU are shares of one core."
    )
    return Table(title, heads, rows, note, section="served")


def saturation_table(one: LoadSummary) -> Table:
    """Return the table of the rates at saturation, of what limited them, and of the latencies."""
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
        row += [f"{service.in_flight:.1f} of {one.result.users}", f"{service.server_share:.0%}"]
        rows.append([*row, f"{service.generator_share:.0%}", service.bound_by])
    note = (
        f"{_pairs(one)}; {one.result.users} clients send requests without a pause. In flight: the rate times the mean"
        " latency (Little's law), nearly the number of clients, because each client nearly always waits for a response."
        " Latencies are those of a closed loop. No request failed: a failed request ends the run. The columns server"
        " CPU and generator CPU are shares of one core. Bound by: which of the two limited the rate."
    )
    return Table(f"{one.result.title}: saturation", heads, rows, note, section="served")


def _pairs(one: LoadSummary) -> str:
    generator = f"; {one.result.generator_processes} generator processes" if one.result.generator_processes > 1 else ""
    threads = f"; {one.result.server_threads} server threads" if one.result.server in THREADED else ""
    return f"{one.pairs} repetitions, each with new server processes{threads}{generator}"


def latency_table(found: list[LatencySummary]) -> Table:
    """Return the table of the latencies at several rates: in an open loop, and in Locust's closed loop."""
    names = list(dict.fromkeys(name for one in found for name in one.latencies_ms if name != "p95"))
    heads = ["", "intended requests/s", "latency measured", *(f"{name} ms" for name in names)]
    heads += ["actual requests/s", "generator CPU", "lag"]
    rows = []
    for one in found:
        counted = "from the planned start" if one.generator == "open loop" else "in a closed loop (Locust)"
        row = [one.service, number(one.asked), counted]
        row += [number(one.latencies_ms[name].value) if name in one.latencies_ms else "" for name in names]
        row += [number(one.reached.value), f"{one.generator_share:.0%}"]
        rows.append([*row, f"{number(one.lag_ms)} ms" if one.generator == "open loop" else ""])
    shares = ", ".join(f"{share:.0%}" for share in dict.fromkeys(one.share for one in found))
    note = (
        f"Means over {found[0].runs} runs; the rates are {shares} of the slowest service's maximum. An open loop"
        " starts each request at its planned time, whether or not the server has answered earlier requests. A closed"
        " loop waits for the response, and sends nothing meanwhile. Lag: the open-loop generator's own delay (p99)."
    )
    return Table(f"{found[0].result.title}: latency", heads, rows, note, section="latency")


def _latency_tables(summary: Summary) -> list[Table]:
    keys = dict.fromkeys(one.result.key for one in summary.latencies)
    return [latency_table([one for one in summary.latencies if one.result.key == key]) for key in keys]


def _ratio(value: Estimate | None) -> str:
    if value is None:
        return "1"
    return f"{number(value.value)} ({interval(value)}){'' if differs(value) else f' {UNCLAIMED}'}"


def import_table(summary: Summary) -> Table:
    heads = ["", "wall ms", "95 % interval", "CPU ms", "95 % interval", "memory MiB", "95 % interval"]
    rows = [
        [f"import {module}", *(cell for value in parts.values() for cell in cells(value))]
        for module, parts in summary.imports.items()
    ]
    note = "Each import in a new interpreter. What an interpreter that imports nothing needs is subtracted."
    return Table("Imports", heads, rows, note)


def goal_table(goals: list[GoalSummary]) -> Table:
    heads = ["figure", "found", "95 % interval", "goal", ""]
    rows = [[one.goal.text, *cells(one.found), _limit(one), one.verdict] for one in goals]
    note = "reached, missed: the whole interval is on that side of the goal; open: the interval is on both sides."
    return Table("Goals", heads, rows, note, [one.verdict for one in goals])


def _limit(one: GoalSummary) -> str:
    return f"{'≤' if one.goal.at_most else '≥'} {one.goal.limit:g}"


def warnings(results: Results, summary: Summary) -> list[str]:
    """Return what a reader must know before trusting the figures, except the verdict on the machine's noise."""
    noisy = [one for one in summary.experiments if one.noisy]
    said = [f"noisy: {one.title}: {_not_claimed(one.reach)}" for one in noisy]
    if results.left_out:
        steps = "step was" if results.left_out == 1 else "steps were"
        said.append(f"{results.left_out} planned {steps} skipped to meet the deadline: the machine is slow or busy")
    said += _about_loads(summary)
    said += results.skipped + results.notes
    if results.partial:
        said.append("partial: the run was interrupted; the figures use the samples of the completed steps")
    if (busy := results.environment.get("cpu_percent", 0)) > BUSY_PERCENT:
        said.append(f"the machine was {busy:.0f} % busy before the run")
    said += _about_lags(summary)
    if results.environment_after and results.environment_after["revision"] != results.environment["revision"]:
        said.append("the code changed during the run")
    if any(one.clock == "wall" for one in summary.experiments):
        said.append("the CPU clock of this system is too coarse, so wall time was measured in process")
    return said


def _not_claimed(reach: float) -> str:
    return f"differences below {reach:.0%} are not claimed" if math.isfinite(reach) else "no difference is claimed"


def _about_lags(summary: Summary) -> list[str]:
    """Return warnings about latencies to which the generator's own delay contributed much."""
    return [
        f"{one.result.title}, {one.service} at {number(one.asked)} requests a second: the load generator itself was up"
        f" to {number(one.lag_ms)} ms late (p99), which is part of the latency"
        for one in summary.latencies
        if "p99" in one.latencies_ms and one.lag_ms > LATE * one.latencies_ms["p99"].value
    ]


def _about_loads(summary: Summary) -> list[str]:
    """Return warnings about runs that the generator may have limited, or whose counts contradict Little's law."""
    said = []
    for load in summary.loads:
        for one in load.services:
            where = f"{load.result.title}, {one.name}"
            if one.bound_by == "generator":
                said.append(
                    f"{where}: the load generator used {one.generator_share:.0%} of a core,"
                    " so it may have limited the run"
                )
            if load.result.mode == "saturation" and not law_holds(one, load.result.users):
                said.append(
                    f"{where}: {load.result.users} clients, but {one.in_flight:.1f} requests in flight (Little's law)"
                )
    return said
