"""The report on the study of hot and cold caches: its table, its chart, and its page."""

from __future__ import annotations

from loadtests.heat import FLASK, FLOOR, OWN, Heat, State, summarise
from loadtests.instrument.results import ResultError, Results
from loadtests.report import format as pages
from loadtests.report.analysis import summarise as summarise_all
from loadtests.report.canvas import Chart, Dot, Path, Shape, Text, line
from loadtests.report.charts import COLOUR, WIDE, Layout, ticks
from loadtests.report.format import Table, machine, number, with_interval
from loadtests.report.noise import judge

HEIGHT, LEFT, TOP, BOTTOM = 340, 46, 60, 60


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
    return Table("The cost of a framework, by size of the eviction", heads, rows, note)


def _row(state: State) -> list[str]:
    costs = [state.costs[FLOOR], state.prices[OWN], state.prices[FLASK]]
    return [state.eviction, *(with_interval(value) for value in (state.ratio, *costs))]


def slope_table(heat: Heat) -> Table:
    """Return a table of the cost of a µs of pause, in Flask and in the bare callable, hot and cold."""
    rows = [[one.place, one.eviction, with_interval(one.slope, 4)] for one in heat.slopes]
    return Table("What a µs of pause costs", ["a pause in", "evicted before each request", "µs"], rows)


def chart(heat: Heat, layout: Layout = WIDE) -> Chart:
    """Return the frameworks' prices against the size of the eviction, and the served prices as dashed lines."""
    right, bottom = layout.width - 20, HEIGHT - BOTTOM
    prices = [price.high for state in heat.states for price in state.prices.values()]
    top = max([*prices, *(price.value for price in heat.served.values())])
    step = (right - LEFT) / max(1, len(heat.states) - 1)

    def y_of(us: float) -> float:
        return bottom - us / top * (bottom - TOP)

    shapes: list[Shape] = [Text(0, 18, "Price over the bare callable", size=14, bold=True)]
    for value in ticks(top, 6):
        shapes += [line(LEFT, y_of(value), right, y_of(value), "grid"),
                   Text(LEFT - 8, y_of(value) + 4, f"{value:g}", "soft", "end", 12)]  # fmt: skip
    for place, state in enumerate(heat.states):
        name = state.eviction.removesuffix(" of other data")
        anchor = "start" if place == 0 else "end" if place == len(heat.states) - 1 else "middle"
        if layout.labels or place % 2 == 0:
            shapes.append(Text(LEFT + place * step, bottom + 18, name, "soft", anchor, 12))
    for framework in (OWN, FLASK):
        points = tuple((LEFT + n * step, y_of(one.prices[framework].value)) for n, one in enumerate(heat.states))
        shapes += [Path(points, COLOUR[framework], 2.0), *(Dot(x, y, 3, COLOUR[framework]) for x, y in points)]
        if framework in heat.served:
            y = y_of(heat.served[framework].value)
            shapes += [line(LEFT, y, right, y, COLOUR[framework], 1.5, dashed=True)]
        shapes.append(Text(LEFT + 6, points[0][1] - 8, framework, COLOUR[framework], size=12))
    words = "evicted before each request; µs; dashed: served" if heat.served else "evicted before each request; µs"
    shapes.append(Text(LEFT, HEIGHT - 10, words, "soft", size=12))
    described = "; ".join(f"{one.eviction}: Flask {number(one.prices[FLASK].value)} µs" for one in heat.states)
    return Chart(layout.width, HEIGHT, shapes, f"Price over the bare callable: {described}")


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
