"""The report on the study of hot and cold caches: its tables and its page."""

from __future__ import annotations

from loadtests.heat import FLASK, FLOOR, OWN, Heat, State, summarise
from loadtests.instrument.results import ResultError, Results
from loadtests.report import format as pages
from loadtests.report.analysis import summarise as summarise_all
from loadtests.report.format import Table, machine, with_interval
from loadtests.report.noise import judge


def table(heat: Heat) -> Table:
    """Return a table with one row for each state of the caches."""
    heads = [
        "evicted before each request",
        "Flask ÷ wsgi_core",
        "bare callable, µs",
        "wsgi_core adds, µs",
        "Flask adds, µs",
    ]
    rows = [_row(state) for state in (*heat.states, *heat.others)]
    if heat.served:
        rows.append(["served by waitress", "", "", *(with_interval(heat.served[name]) for name in (OWN, FLASK))])
    note = "CPU time per request, without the eviction and the driver. Served: of the server process."
    return Table("The cost of a framework, by size of the eviction", heads, rows, note, section="heat")


def _row(state: State) -> list[str]:
    costs = [state.costs[FLOOR], state.prices[OWN], state.prices[FLASK]]
    return [state.eviction, *(with_interval(value) for value in (state.ratio, *costs))]


def slope_table(heat: Heat) -> Table:
    """Return a table of the cost of a µs of pause, in Flask and in the bare callable, hot and cold."""
    rows = [[one.place, one.eviction, with_interval(one.slope, 4)] for one in heat.slopes]
    heads = ["a pause in", "evicted before each request", "µs"]
    return Table("What a µs of pause costs", heads, rows, section="heat")


def tables(results: Results) -> list[Table]:
    """Return the tables of the study, or none for the results of another study."""
    heat = summarise(results)
    return [table(heat), slope_table(heat)] if heat else []


def verdict(heat: Heat) -> str:
    """Return the sentence that says whether the prediction of Flask's served price holds."""
    if heat.predicted is None:
        return ""
    found = heat.served[FLASK]
    text = (
        f"From wsgi_core's served price the model predicts {with_interval(heat.predicted)} µs for Flask;"
        f" measured: {with_interval(found)} µs"
    )
    if heat.predicted.low <= found.high and found.low <= heat.predicted.high:
        return f"{text}. The measurement agrees with the prediction."
    return f"{text}. The intervals do not overlap: evicted data alone does not explain what a server adds."


def render(results: Results) -> str:
    """Return the page. Raises ``ResultError`` for the results of another study."""
    heat = summarise(results)
    if heat is None:
        raise ResultError("the results have no evicted caches; measure them with: wsgi-core overhead --study heat")
    noise = judge(results, summarise_all(results)).sentence
    return pages.render(
        "hot-and-cold.md", heat=heat, table=table(heat), slopes=slope_table(heat), verdict=verdict(heat),
        noise=noise, machine=machine(results), hot=heat.states[0], cold=heat.states[-1],
    )  # fmt: skip
