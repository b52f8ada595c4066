"""The plots of the report: bars, the ladder as a waterfall, and lines. ``canvas.py`` makes the SVG of their shapes.

Each plot has two versions: one for a wide page, and one for a phone, with the labels above the bars. A *ladder* is an
experiment with applications from a plain WSGI function up to Flask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtests.curve import CROSSINGS, Curve, Line, Point
from loadtests.heat import Heat
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import ExperimentSummary, Summary
from loadtests.report.canvas import Chart, dot, line, path, rect, text
from loadtests.report.format import number
from loadtests.report.loads import LatencySummary, LoadSummary
from loadtests.report.tables import is_step
from loadtests.studies import FLASK, OWN

BAR_HEIGHT = 22
GAP = 12
TOP = 56
HIGH = 1e300


@dataclass(frozen=True)
class Layout:
    """The width of a plot, and the widths of its parts for labels and values.

    If ``labels`` is 0, the labels are above the bars.
    """

    width: int = 720
    labels: int = 215
    values: int = 70

    @property
    def pitch(self) -> int:
        return BAR_HEIGHT + GAP + (0 if self.labels else 16)

    def label(self, y: float, name: str) -> str:
        """Return the SVG of the label ``name`` for the bar whose upper edge is at ``y``."""
        if self.labels:
            return text(self.labels - 10, y + BAR_HEIGHT / 2 + 4, name, anchor="end")
        return text(0, y - 4, name)


WIDE, NARROW = Layout(), Layout(350, 0, 62)


@dataclass(frozen=True)
class Bar:
    """A bar from ``start`` to ``start`` plus ``value``. ``colour`` is a key of ``canvas.COLOURS``.

    ``text`` is written to the right of the bar. If ``text`` is empty, the value is written.
    """

    label: str
    value: Estimate
    colour: str = "bar"
    start: float = 0.0
    text: str = ""


def bar_chart(title: str, unit: str, bars: Sequence[Bar], layout: Layout = WIDE) -> Chart:
    """Return a chart of horizontal bars, each with its 95 % interval as a line. An infinite interval has no line."""
    height = TOP + len(bars) * layout.pitch + 30
    top = max([*(bar.start + _far(bar.value) for bar in bars), *(bar.start for bar in bars), 1e-9])
    scale = (layout.width - layout.labels - layout.values) / top
    shapes: list[str] = [*_heading(title, layout), *_grid(top, scale, height, layout)]
    for position, bar in enumerate(bars):
        y = TOP + position * layout.pitch + (0 if layout.labels else 14)
        shapes += [layout.label(y, bar.label), *_bar(bar, y, scale, layout)]
    shapes.append(text(layout.labels, height - 4, unit, "soft", size=12))
    described = "; ".join(f"{bar.label} {bar.text or number(bar.value.value)}" for bar in bars)
    return Chart(layout.width, height, shapes, f"{title}. {unit}: {described}")


def _heading(title: str, layout: Layout) -> list[str]:
    # A title that does not fit, as on a phone, is cut off. The page has its own headings.
    longest = round(layout.width / 8.6)
    return [text(0, 18, title if len(title) <= longest else title[: longest - 1] + "…", size=14, bold=True)]


def _far(value: Estimate) -> float:
    return max(value.high, value.value) if value.high < HIGH else value.value


def _grid(top: float, scale: float, height: int, layout: Layout) -> list[str]:
    shapes: list[str] = []
    for value in ticks(top, 8 if layout.labels else 5):
        x = layout.labels + value * scale
        shapes += [
            line(x, TOP - 8, x, height - 24, "grid"),
            text(x, TOP - 12, f"{value:g}", "soft", "middle" if x else "start", 12),
        ]
    return shapes


def ticks(top: float, most: int = 8) -> list[float]:
    """Return the multiples of a round step from 0 to ``top``. The last multiple may be below ``top``.

    There are at most ``most`` steps. ``most`` must be at least 5.
    """
    step = 10.0 ** math.floor(math.log10(top))
    for part in (0.1, 0.2, 0.5, 1.0, 2.0):
        if top / (step * part) <= most:
            step *= part
            break
    return [round(index * step, 12) for index in range(int(top / step) + 1)]


def _bar(bar: Bar, y: float, scale: float, layout: Layout) -> list[str]:
    middle, end = y + BAR_HEIGHT / 2, bar.start + bar.value.value
    left, right = (layout.labels + max(0.0, place) * scale for place in sorted((bar.start, end)))
    shapes: list[str] = [rect(left, y, max(right - left, 1.0), BAR_HEIGHT, bar.colour)]
    furthest = right
    if bar.value.high < HIGH:
        low, high = (layout.labels + max(0.0, bar.start + part) * scale for part in (bar.value.low, bar.value.high))
        shapes += _whisker(low, high, middle)
        furthest = max(right, high)
    return [*shapes, text(furthest + 8, middle + 4, bar.text or number(bar.value.value))]


def _whisker(low: float, high: float, middle: float) -> list[str]:
    return [
        line(low, middle, high, middle, "ink", 1.5),
        *(line(x, middle - 5, x, middle + 5, "ink", 1.5) for x in (low, high)),
    ]


def bars_of(one: ExperimentSummary, layout: Layout = WIDE) -> Chart:
    """Return a bar chart of the cost of each application in an experiment."""
    bars = [Bar(cost.name, cost.cost, _colour(cost.name)) for cost in one.costs]
    clock = "CPU time" if one.clock == "cpu" else "wall time"
    return bar_chart(one.title, f"µs of {clock} a request, 95 % interval", bars, layout)


def _colour(name: str) -> str:
    return "own" if name.startswith(OWN) else "bar"


def waterfall(one: ExperimentSummary, layout: Layout = WIDE) -> Chart:
    """Return a ladder as a waterfall chart: the bar of a step begins where the bar before it ends."""
    bars, reached = [], 0.0
    for cost in one.costs:
        step = cost.step if cost.step and is_step(cost, one) else None
        start, value = (reached, step) if step else (0.0, cost.cost)
        sign = ("+" if value.value > 0 else "\u2212") if step else ""
        colour = "step" if step else _colour(cost.name)
        bars.append(Bar(cost.name, value, colour, start, f"{sign}{number(abs(value.value))}"))
        reached = start + value.value
    clock = "CPU" if one.clock == "cpu" else "wall"
    return bar_chart(one.title, f"{clock} µs per request: + is the step alone", bars, layout)


def load_bars(load: LoadSummary, layout: Layout = WIDE) -> Chart:
    """Return a bar chart of the server's CPU time per request, with one bar for each service."""
    bars = [Bar(service.name, service.server_cpu_us, _colour(service.name)) for service in load.services]
    return bar_chart(load.result.title, "µs of server CPU time a request, 95 % interval", bars, layout)


# Plots with two axes

LEFT, RIGHT, BOTTOM = 64, 20, 52
COLOUR = {FLASK: "other", OWN: "own"}


@dataclass(frozen=True)
class Axis:
    """An axis: ``low`` is drawn at ``start`` and ``high`` at ``end``.

    If ``low`` is above 0, the axis is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of ``value``, or of the nearer end if the value lies outside."""
        value = min(max(value, self.low), self.high)
        part = math.log(value / self.low) / math.log(self.high / self.low) if self.low else value / self.high
        return self.start + part * (self.end - self.start)


def _rows(axis: Axis, marks: Mapping[float, str], layout: Layout) -> list[str]:
    """Return a horizontal line for each mark of a vertical axis, with its label."""
    shapes: list[str] = []
    for value, name in marks.items():
        y = axis.at(value)
        shapes += [line(LEFT, y, layout.width - RIGHT, y, "grid"), text(LEFT - 8, y + 4, name, "soft", "end", 12)]
    return shapes


def _dots(points: Iterable[tuple[float, Estimate]], axis: Axis, colour: str) -> list[str]:
    """Return a dot for each value at its x coordinate, with the value's 95 % interval as a line."""
    shapes: list[str] = []
    for x, value in points:
        if value.high < HIGH:
            shapes.append(line(x, axis.at(value.low), x, axis.at(value.high), colour, 1.2))
        shapes.append(dot(x, axis.at(value.value), 3, colour))
    return shapes


def _joined(points: Sequence[tuple[float, Estimate]], axis: Axis, colour: str, dashed: bool = False) -> list[str]:
    """Return a line through the values, and a dot for each value."""
    placed = [(x, axis.at(value.value)) for x, value in points]
    return [path(placed, colour, 2.0, dashed), *_dots(points, axis, colour)]


def _legend(entries: Sequence[tuple[str, str, bool]], layout: Layout) -> list[str]:
    """Return the names of the lines. Names that do not fit continue on the next row."""
    shapes: list[str] = []
    x, y = 0.0, 36.0
    for name, colour, dashed in entries:
        width = 42 + 6.6 * len(name)
        if x and x + width > layout.width:
            x, y = 0.0, y + 15
        shapes += [line(x, y, x + 22, y, colour, 2.5, dashed), text(x + 28, y + 4, name, size=12)]
        x += width
    return shapes


# The curve

PLOT_HEIGHT = 420
LEAST_SHARE, LEAST_US, MOST_US = 0.001, 1.0, 300_000.0
SHARES = {1.0: "100 %", 0.5: "50 %", 0.1: "10 %", 0.01: "1 %", 0.001: "0.1 %"}
TIMES = ((1, "1 µs"), (10, "10 µs"), (100, "100 µs"), (1e3, "1 ms"), (1e4, "10 ms"), (1e5, "100 ms"))


def curve_chart(curve: Curve, layout: Layout = WIDE) -> Chart:
    """Return a chart of the framework's share of a request (y axis) against the model's time (x axis)."""
    bottom = PLOT_HEIGHT - BOTTOM
    times, shares = Axis(LEAST_US, MOST_US, LEFT, layout.width - RIGHT), Axis(LEAST_SHARE, 1.0, bottom, TOP)
    title = "The framework's share of the request, by the model's time"
    shapes = [*_heading(title, layout), *_rows(shares, SHARES, layout)]
    # On a phone, every second label of the time axis is omitted with its line.
    for us, name in TIMES if layout.labels else TIMES[::2]:
        x = times.at(us)
        shapes += [line(x, TOP, x, bottom, "grid"), text(x, bottom + 18, name, "soft", "middle", 12)]
    for one in curve.lines:
        shapes += _share_line(one, times, shares)
        found = [(times.at(point.time.value), point.shares[one.framework]) for point in curve.points]
        shapes += _dots([(x, share) for x, share in found if share.value > LEAST_SHARE], shares, COLOUR[one.framework])
    shapes += _model_names(curve.points, times, bottom, layout)
    words = (
        "CPU time of the model for one request, in process, hot caches" if layout.labels else "CPU time of the model"
    )
    shapes.append(text(layout.width / 2, PLOT_HEIGHT - 8, words, "soft", "middle", 12))
    shapes += _legend([(one.framework, COLOUR[one.framework], False) for one in curve.lines], layout)
    described = "; ".join(_crossings_in_words(one) for one in curve.lines)
    return Chart(layout.width, PLOT_HEIGHT, shapes, f"The framework's share against the model's time: {described}")


def _share_line(one: Line, times: Axis, shares: Axis) -> list[str]:
    """Return one framework's line in the chart of ``curve_chart``.

    If fewer than two points of the line lie in the chart, return an empty list.
    """
    steps = [LEAST_US * (MOST_US / LEAST_US) ** (index / 80) for index in range(81)]
    points = [(times.at(us), shares.at(one.share(us))) for us in steps if one.share(us) >= LEAST_SHARE]
    return [path(points, COLOUR[one.framework], 2.0)] if len(points) > 1 else []


def _model_names(points: Sequence[Point], times: Axis, bottom: float, layout: Layout) -> list[str]:
    """Return the names of the models at different heights, each with a line down to the time axis.

    The name of a faster model is higher, so that no line crosses a name.
    """
    shapes: list[str] = []
    for place, point in enumerate(points):
        x, y = times.at(point.time.value), bottom - 10 - 15 * (len(points) - 1 - place)
        anchor, shift = ("end", -4) if x > layout.width - 120 else ("start", 4)
        shapes += [line(x, y, x, bottom, "soft", 0.7), text(x + shift, y + 4, point.model, "soft", anchor, 12)]
    return shapes


def _crossings_in_words(one: Line) -> str:
    found = [(share, one.crossing(share)) for share in CROSSINGS]
    return f"{one.framework} " + ", ".join(f"{share:.0%} at {number(at.value)} µs" for share, at in found if at)


# Latencies

LATENCY_HEIGHT = 320
LATENCY_TOP = 76
LEGEND_COLOURS = ("own", "other", "bar", "ink")


def latency_chart(found: Sequence[LatencySummary], layout: Layout = WIDE) -> Chart:
    """Return a chart of the services' latencies at one rate: each percentile with its interval, for each generator."""
    names = list(dict.fromkeys(name for one in found for name in one.latencies_ms))
    values = [value.value for one in found for value in one.latencies_ms.values() if value.value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    bottom, step = LATENCY_HEIGHT - BOTTOM, (layout.width - LEFT - RIGHT - 60) / max(1, len(names) - 1)
    axis = Axis(10.0**low, 10.0**high, bottom, LATENCY_TOP)
    places = {name: LEFT + 30 + number * step for number, name in enumerate(names)}
    marks = [*(part * 10.0**power for power in range(low, high) for part in (1, 2, 5)), 10.0**high]
    asked = f"at {number(found[0].asked)} requests a second ({found[0].share:.0%} of the slowest service's maximum)"
    shapes = [*_heading(f"Latency {asked}", layout), *_rows(axis, {ms: f"{ms:g}" for ms in marks}, layout)]
    shapes += [text(x, bottom + 18, name, "soft", "middle", 12) for name, x in places.items()]
    shapes.append(text(LEFT, LATENCY_HEIGHT - 8, "ms, logarithmic scale; 95 % intervals", "soft", size=12))
    services, entries = list(dict.fromkeys(one.service for one in found)), []
    for place, one in enumerate(found):
        colour = COLOUR.get(one.service, LEGEND_COLOURS[services.index(one.service) % len(LEGEND_COLOURS)])
        closed = one.generator != "open loop"
        # The lines are side by side, so that no line hides another.
        shift = 5 * (place - (len(found) - 1) / 2)
        points = [(places[name] + shift, value) for name, value in one.latencies_ms.items()]
        shapes += _joined(points, axis, colour, closed)
        entries.append((f"{one.service}, {'closed loop' if closed else 'open loop'}", colour, closed))
    described = "; ".join(f"{one.service}, {one.generator}: {_in_words(one)}" for one in found)
    return Chart(layout.width, LATENCY_HEIGHT, [*shapes, *_legend(entries, layout)], f"Latency {asked}: {described}")


def _in_words(one: LatencySummary) -> str:
    return ", ".join(f"{name} {number(value.value)} ms" for name, value in one.latencies_ms.items())


# Hot and cold caches

HEAT_HEIGHT = 340


def heat_chart(heat: Heat, layout: Layout = WIDE) -> Chart:
    """Return a chart of each framework's price against the amount of data that is evicted from the CPU caches.

    A framework's price is its cost minus the cost of a plain WSGI function. Dashed lines are the prices behind a
    server.
    """
    right, bottom = layout.width - RIGHT, HEAT_HEIGHT - BOTTOM
    prices = [price.high for state in heat.states for price in state.prices.values()]
    axis = Axis(0.0, max([*prices, *(price.value for price in heat.served.values())]), bottom, TOP)
    step = (right - LEFT) / max(1, len(heat.states) - 1)
    marks = {value: f"{value:g}" for value in ticks(axis.high, 6)}
    shapes = [*_heading("Price over the bare callable", layout), *_rows(axis, marks, layout)]
    for place, state in enumerate(heat.states):
        anchor = "start" if place == 0 else "end" if place == len(heat.states) - 1 else "middle"
        if layout.labels or place % 2 == 0:
            name = state.eviction.removesuffix(" of other data")
            shapes.append(text(LEFT + place * step, bottom + 18, name, "soft", anchor, 12))
    for framework, colour in COLOUR.items():
        shapes += _joined([(LEFT + n * step, one.prices[framework]) for n, one in enumerate(heat.states)], axis, colour)
        if framework in heat.served:
            y = axis.at(heat.served[framework].value)
            shapes.append(line(LEFT, y, right, y, colour, 1.5, dashed=True))
    words = "evicted before each request; µs; dashed: served" if heat.served else "evicted before each request; µs"
    shapes.append(text(LEFT, HEAT_HEIGHT - 10, words, "soft", size=12))
    shapes += _legend([(framework, colour, False) for framework, colour in COLOUR.items()], layout)
    described = "; ".join(f"{one.eviction}: Flask {number(one.prices['Flask'].value)} µs" for one in heat.states)
    return Chart(layout.width, HEAT_HEIGHT, shapes, f"Price over the bare callable: {described}")


# All of them


def charts_of(summary: Summary, layout: Layout = WIDE) -> dict[str, Chart]:
    """Return every plot of a result file by its key: experiments, the curve, loads, latencies, then hot and cold
    caches.
    """
    charts: dict[str, Chart] = {}
    for one in summary.experiments:
        is_ladder = one.ladder and any(cost.step and is_step(cost, one) for cost in one.costs)
        if is_ladder or len(one.costs) > 3:
            charts[one.key] = waterfall(one, layout) if is_ladder else bars_of(one, layout)
    if summary.curve:
        charts["curve"] = curve_chart(summary.curve, layout)
    charts |= {load.result.key: load_bars(load, layout) for load in summary.loads}
    rates: dict[str, list[LatencySummary]] = {}
    for latency in summary.latencies:
        if latency.latencies_ms:
            rates.setdefault(f"{latency.result.key}-{latency.share * 100:.0f}", []).append(latency)
    charts |= {key: latency_chart(group, layout) for key, group in rates.items()}
    return charts | ({"heat": heat_chart(summary.heat, layout)} if summary.heat else {})


def pictures_of(summary: Summary) -> dict[str, tuple[str, str]]:
    """Return every plot by its key, as two SVG elements for an HTML page: for a wide screen, and for a phone."""
    wide, narrow = (charts_of(summary, layout) for layout in (WIDE, NARROW))
    return {key: (wide[key].svg(alone=False, kind="wide"), narrow[key].svg(alone=False, kind="narrow")) for key in wide}
