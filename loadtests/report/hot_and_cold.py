"""The report on the study of hot and cold caches: its tables and its page.

``heat.py`` defines the study, and the words *price* and *coldness*.
"""

from __future__ import annotations

from operator import itemgetter

from loadtests.heat import PAUSE, PAUSED, Heat, State
from loadtests.instrument.results import ResultError, Results
from loadtests.report import format as pages
from loadtests.report.analysis import summarise
from loadtests.report.format import Table, machine, with_interval
from loadtests.report.noise import judge
from loadtests.studies import FLASK, FLOOR, OWN


def table(heat: Heat) -> Table:
    """Return the table with one row for each eviction and, if it was measured, one row for the server."""
    heads = ["evicted before each request by", "Flask ÷ wsgi_core"]
    heads += ["bare callable, µs", "wsgi_core adds, µs", "Flask adds, µs"]
    rows = [_row(state) for state in (*heat.states, *heat.others)]
    if heat.served:
        rows.append(["served by waitress", "", "", *(with_interval(heat.served[name]) for name in (OWN, FLASK))])
    note = (
        "CPU time per request, without the eviction and the driver. In the row of the server: CPU time of its process."
    )
    return Table("The cost of a framework, by size of the eviction", heads, rows, note, section="heat")


def _row(state: State) -> list[str]:
    costs = [state.costs[FLOOR], state.prices[OWN], state.prices[FLASK]]
    return [state.eviction, *(with_interval(value) for value in (state.ratio, *costs))]


def slope_table(heat: Heat) -> Table:
    """Return the table that says how many µs a request takes longer for each µs of a pause inside it."""
    rows = [[*where, with_interval(slope, 4)] for where, slope in heat.slopes.items()]
    heads = ["a pause in", "evicted before each request by", "µs"]
    return Table("What a µs of pause costs", heads, rows, section="heat")


def prediction_table(heat: Heat) -> Table:
    """Return the table that compares Flask's predicted price with its measured price (see ``heat.Prediction``)."""
    heads = ["", "wsgi_core adds, µs", "coldness", "Flask adds, predicted, µs", "Flask adds, measured, µs"]
    found = [*heat.predictions, *([heat.served_prediction] if heat.served_prediction else [])]
    rows = [
        [one.state, *(with_interval(value) for value in (one.own, one.coldness[OWN], one.predicted, one.measured))]
        for one in found
    ]
    return Table("The model, tested", heads, rows)


def farthest(heat: Heat) -> tuple[str, float]:
    """Return the state whose prediction is farthest from the measured price, and the relative difference.

    The prediction for the server is not considered.
    """
    off = {one.state: abs(one.predicted.value / one.measured.value - 1) for one in heat.predictions}
    return max(off.items(), key=itemgetter(1))


def render(results: Results) -> str:
    """Return the page. Raises ``ResultError`` if an eviction was measured in fewer than two processes."""
    summary = summarise(results)
    if (heat := summary.heat) is None:
        raise ResultError(
            "the results have no measurements with evicted caches; make them with: wsgi-core overhead --study heat"
        )
    noise = judge(results, summary).sentence
    hot, cold = heat.states[0], heat.states[-1]
    rises = {name: cold.prices[name].value - hot.prices[name].value for name in (OWN, FLASK)}
    pauses = {place: [heat.slopes.get((place, str(one))) for one in PAUSED] for place in (FLASK, FLOOR)}
    return pages.render(
        "hot-and-cold.md", heat=heat, table=table(heat), predictions=prediction_table(heat), farthest=farthest(heat),
        slopes=slope_table(heat), pauses=pauses, noise=noise, machine=machine(results), hot=hot, cold=cold, rises=rises,
        served=heat.served_prediction, pause=PAUSE, agreeing=sum(one.agrees for one in heat.predictions),
    )  # fmt: skip
