"""The plots of the report: bars, the ladder as a waterfall, the curve, latencies. ``canvas.py`` renders their shapes.

Each plot has two versions: for a wide page and, with the labels above the bars, for a phone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtests.curve import CROSSINGS, Curve, Line, Point
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import ExperimentSummary, LatencySummary, LoadSummary, Summary
from loadtests.report.canvas import STYLE, Chart, Dot, Path, Rect, Shape, Text, line
from loadtests.report.format import number
from loadtests.report.tables import is_step

__all__ = ["STYLE", "Picture", "bars_of", "charts_of", "pictures_of"]

BAR_HEIGHT = 22
GAP = 12
TOP = 56
HIGH = 1e300
OWN = "wsgi_core"


@dataclass(frozen=True)
class Layout:
    """The width of a plot, and the part of it for labels. With 0, the labels are above their bars."""

    width: int = 720
    labels: int = 215
    values: int = 70

    @property
    def pitch(self) -> int:
        """The distance from one bar to the next."""
        return BAR_HEIGHT + GAP + (0 if self.labels else 16)

    def label(self, y: float, text: str) -> Text:
        """Return the label of the bar at ``y``."""
        if self.labels:
            return Text(self.labels - 10, y + BAR_HEIGHT / 2 + 4, text, anchor="end")
        return Text(0, y - 4, text)


WIDE, NARROW = Layout(), Layout(350, 0, 62)


@dataclass(frozen=True)
class Picture:
    """A plot as two elements of a page: for a wide screen, and for a phone."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Bar:
    """A bar that begins at ``start``, with a ``colour`` of the canvas. ``text`` is written behind it."""

    label: str
    value: Estimate
    colour: str = "bar"
    start: float = 0.0
    text: str = ""


def bar_chart(title: str, unit: str, bars: Sequence[Bar], layout: Layout = WIDE) -> Chart:
    """Return horizontal bars, each with its 95 % interval as a whisker and its value behind it."""
    height = TOP + len(bars) * layout.pitch + 30
    top = max([*(bar.start + _far(bar.value) for bar in bars), *(bar.start for bar in bars), 1e-9])
    scale = (layout.width - layout.labels - layout.values) / top
    shapes: list[Shape] = [*_heading(title, layout), *_grid(top, scale, height, layout)]
    for position, bar in enumerate(bars):
        y = TOP + position * layout.pitch + (0 if layout.labels else 14)
        shapes += [layout.label(y, bar.label), *_bar(bar, y, scale, layout)]
    shapes.append(Text(layout.labels, height - 4, unit, "soft", size=12))
    described = "; ".join(f"{bar.label} {number(bar.value.value)}" for bar in bars)
    return Chart(layout.width, height, shapes, f"{title}: {described}")


def _heading(title: str, layout: Layout) -> list[Shape]:
    # The page has its own heading. On a phone, a long title would not fit into the picture.
    longest = round(layout.width / 8.6)
    return [Text(0, 18, title if len(title) <= longest else title[: longest - 1] + "…", size=14, bold=True)]


def _far(value: Estimate) -> float:
    return max(value.high, value.value) if value.high < HIGH else value.value


def _grid(top: float, scale: float, height: int, layout: Layout) -> list[Shape]:
    shapes: list[Shape] = []
    for value in ticks(top, 8 if layout.labels else 5):
        x = layout.labels + value * scale
        shapes += [
            line(x, TOP - 8, x, height - 24, "grid"),
            Text(x, TOP - 12, f"{value:g}", "soft", "middle" if x else "start", 12),
        ]
    return shapes


def ticks(top: float, most: int = 8) -> list[float]:
    """Return round values from 0 to ``top``, at most ``most`` steps."""
    step = 10.0 ** math.floor(math.log10(top))
    for part in (0.1, 0.2, 0.5, 1.0, 2.0):
        if top / (step * part) <= most:
            step *= part
            break
    return [round(index * step, 12) for index in range(int(top / step) + 1)]


def _bar(bar: Bar, y: float, scale: float, layout: Layout) -> list[Shape]:
    middle, end = y + BAR_HEIGHT / 2, bar.start + bar.value.value
    left, right = (layout.labels + max(0.0, place) * scale for place in sorted((bar.start, end)))
    shapes: list[Shape] = [Rect(left, y, max(right - left, 1.0), BAR_HEIGHT, bar.colour)]
    furthest = right
    if bar.value.high < HIGH:
        low, high = (layout.labels + max(0.0, bar.start + part) * scale for part in (bar.value.low, bar.value.high))
        shapes += _whisker(low, high, middle)
        furthest = max(right, high)
    return [*shapes, Text(furthest + 8, middle + 4, bar.text or number(bar.value.value))]


def _whisker(low: float, high: float, middle: float) -> list[Shape]:
    return [
        line(low, middle, high, middle, "ink", 1.5),
        *(line(x, middle - 5, x, middle + 5, "ink", 1.5) for x in (low, high)),
    ]


def bars_of(one: ExperimentSummary, layout: Layout = WIDE) -> Chart:
    """Return a bar for the whole cost of each contender."""
    bars = [Bar(cost.name, cost.cost, _colour(cost.name)) for cost in one.costs]
    clock = "CPU time" if one.clock == "cpu" else "wall time"
    return bar_chart(one.title, f"µs of {clock} a request, 95 % interval", bars, layout)


def _colour(name: str) -> str:
    return "own" if name.startswith(OWN) else "bar"


def waterfall(one: ExperimentSummary, layout: Layout = WIDE) -> Chart:
    """Return a ladder as a waterfall: each step begins where the rung before it ends. Other contenders begin at 0."""
    bars, reached = [], 0.0
    for cost in one.costs:
        step = cost.step if cost.step and is_step(cost, one) else None
        start, value = (reached, step) if step else (0.0, cost.cost)
        sign = ("+" if value.value > 0 else "\u2212") if step else ""
        colour = "step" if step else _colour(cost.name)
        bars.append(Bar(cost.name, value, colour, start, f"{sign}{number(abs(value.value))}"))
        reached = start + value.value
    return bar_chart(one.title, "CPU µs per request: the step alone, or the whole request", bars, layout)


def load_bars(load: LoadSummary, layout: Layout = WIDE) -> Chart:
    """Return a bar for each service: the server's CPU time per request."""
    bars = [Bar(service.name, service.server_cpu_us, _colour(service.name)) for service in load.services]
    return bar_chart(load.title, "µs of server CPU time a request, 95 % interval", bars, layout)


# The curve

PLOT_HEIGHT = 420
LEFT, RIGHT, BOTTOM = 64, 20, 52
LEAST_SHARE, LEAST_US, MOST_US = 0.001, 1.0, 300_000.0
SHARES = ((1.0, "100 %"), (0.5, "50 %"), (0.1, "10 %"), (0.01, "1 %"), (0.001, "0.1 %"))
TIMES = ((1, "1 µs"), (10, "10 µs"), (100, "100 µs"), (1e3, "1 ms"), (1e4, "10 ms"), (1e5, "100 ms"))
COLOUR = {"Flask": "other", OWN: "own"}


class _CurvePlot:
    """The framework's share of a request against the model's time, both on logarithmic scales."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def x(self, us: float) -> float:
        part = math.log(min(max(us, LEAST_US), MOST_US) / LEAST_US) / math.log(MOST_US / LEAST_US)
        return LEFT + part * (self.layout.width - LEFT - RIGHT)

    def y(self, share: float) -> float:
        part = math.log(min(max(share, LEAST_SHARE), 1.0) / LEAST_SHARE) / -math.log(LEAST_SHARE)
        return TOP + (1 - part) * (PLOT_HEIGHT - TOP - BOTTOM)

    def axes(self) -> list[Shape]:
        """Return the grid with its labels. On a phone, every second label of the time axis is omitted."""
        bottom, shapes = PLOT_HEIGHT - BOTTOM, list[Shape]()
        for share, name in SHARES:
            y = self.y(share)
            shapes += [
                line(LEFT, y, self.layout.width - RIGHT, y, "grid"),
                Text(LEFT - 8, y + 4, name, "soft", "end", 12),
            ]
        for us, name in TIMES if self.layout.labels else TIMES[::2]:
            x = self.x(us)
            shapes += [line(x, TOP, x, bottom, "grid"), Text(x, bottom + 18, name, "soft", "middle", 12)]
        return shapes

    def share_line(self, one: Line) -> list[Shape]:
        """Return the curve of a framework."""
        times = [LEAST_US * (MOST_US / LEAST_US) ** (index / 80) for index in range(81)]
        points = tuple((self.x(us), self.y(one.share(us))) for us in times if one.share(us) >= LEAST_SHARE)
        return [Path(points, COLOUR[one.framework], 2.0)] if len(points) > 1 else []

    def points(self, points: Sequence[Point]) -> list[Shape]:
        """Return a dot with its interval for each model and framework, and the names of the models."""
        shapes: list[Shape] = []
        for place, point in enumerate(points):
            x = self.x(point.time.value)
            for framework, share in point.shares.items():
                if share.high < HIGH:
                    shapes.append(line(x, self.y(share.low), x, self.y(share.high), COLOUR[framework], 1.5))
                if share.value > LEAST_SHARE:
                    shapes.append(Dot(x, self.y(share.value), 4, COLOUR[framework]))
            # Fast models are close together, so their names are staggered, and no line crosses a name.
            y = PLOT_HEIGHT - BOTTOM - 10 - 15 * (len(points) - 1 - place)
            anchor, shift = ("end", -4) if x > self.layout.width - 120 else ("start", 4)
            shapes += [
                line(x, y, x, PLOT_HEIGHT - BOTTOM, "soft", 0.7),
                Text(x + shift, y + 4, point.model, "soft", anchor, 12),
            ]
        return shapes


def curve_chart(curve: Curve, layout: Layout = WIDE) -> Chart:
    """Return the framework's share of a request against the model's time."""
    plot = _CurvePlot(layout)
    shapes: list[Shape] = [*_heading("The framework's share of the request, by the model's time", layout), *plot.axes()]
    for one in curve.lines:
        shapes += plot.share_line(one)
    shapes += plot.points(curve.points)
    words = (
        "CPU time of the model for one request, in process, warm caches" if layout.labels else "CPU time of the model"
    )
    shapes.append(Text(layout.width / 2, PLOT_HEIGHT - 8, words, "soft", "middle", 12))
    shapes += _legend([(one.framework, COLOUR[one.framework], False) for one in curve.lines], layout)
    described = "; ".join(_crossings_in_words(one) for one in curve.lines)
    return Chart(layout.width, PLOT_HEIGHT, shapes, f"The framework's share against the model's time: {described}")


def _crossings_in_words(one: Line) -> str:
    found = [(share, one.crossing(share)) for share in CROSSINGS]
    return f"{one.framework} " + ", ".join(f"{share:.0%} at {number(at.value)} µs" for share, at in found if at)


def _legend(entries: Sequence[tuple[str, str, bool]], layout: Layout) -> list[Shape]:
    """Return the names of the lines. On a phone, names that do not fit continue on a second row."""
    shapes: list[Shape] = []
    x, y = 0.0, 36.0
    for name, colour, dashed in entries:
        width = 42 + 6.6 * len(name)
        if x and x + width > layout.width:
            x, y = 0.0, y + 15
        shapes += [line(x, y, x + 22, y, colour, 2.5, dashed), Text(x + 28, y + 4, name, size=12)]
        x += width
    return shapes


# Latencies

LATENCY_HEIGHT = 320
LATENCY_TOP = 76
LEGEND_COLOURS = ("own", "other", "bar", "ink")


def latency_chart(found: Sequence[LatencySummary], layout: Layout = WIDE) -> Chart:
    """Return the latencies of the services at one rate: percentiles with intervals, in an open and a closed loop."""
    names = list(dict.fromkeys(name for one in found for name in one.latencies_ms))
    values = [value.value for one in found for value in one.latencies_ms.values() if value.value > 0]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)) + 1e-9)
    bottom = LATENCY_HEIGHT - BOTTOM

    def y_of(ms: float) -> float:
        part = math.log(min(max(ms, low), high) / low) / math.log(high / low)
        return bottom - part * (bottom - LATENCY_TOP)

    def x_of(name: str) -> float:
        return LEFT + 30 + names.index(name) * (layout.width - LEFT - RIGHT - 60) / max(1, len(names) - 1)

    asked = f"at {number(found[0].asked)} requests a second ({found[0].share:.0%} of the slowest service's maximum)"
    shapes: list[Shape] = [*_heading(f"Latency {asked}", layout), *_decades(low, high, y_of, layout)]
    shapes += [Text(x_of(name), bottom + 18, name, "soft", "middle", 12) for name in names]
    shapes.append(Text(LEFT, LATENCY_HEIGHT - 8, "ms, logarithmic scale; 95 % intervals", "soft", size=12))
    services, entries = list(dict.fromkeys(one.service for one in found)), []
    for place, one in enumerate(found):
        colour = COLOUR.get(one.service, LEGEND_COLOURS[services.index(one.service) % len(LEGEND_COLOURS)])
        closed = one.generator != "open loop"
        # Side by side, so that no line hides another.
        shift = 5 * (place - (len(found) - 1) / 2)
        shapes += _latency_line(one, colour, closed, _shifted(x_of, shift), y_of)
        entries.append((f"{one.service}, {'closed loop' if closed else 'open loop'}", colour, closed))
    described = "; ".join(f"{one.service}, {one.generator}: {_in_words(one)}" for one in found)
    return Chart(layout.width, LATENCY_HEIGHT, [*shapes, *_legend(entries, layout)], f"Latency {asked}: {described}")


def _shifted(x_of: Callable[[str], float], by: float) -> Callable[[str], float]:
    return lambda name: x_of(name) + by


def _latency_line(
    one: LatencySummary, colour: str, dashed: bool, x_of: Callable[[str], float], y_of: Callable[[float], float]
) -> list[Shape]:
    points = tuple((x_of(name), y_of(value.value)) for name, value in one.latencies_ms.items())
    shapes: list[Shape] = [Path(points, colour, 2.0, dashed), *(Dot(x, y, 3, colour) for x, y in points)]
    for name, value in one.latencies_ms.items():
        if value.high < HIGH:
            shapes.append(line(x_of(name), y_of(value.low), x_of(name), y_of(value.high), colour, 1.2))
    return shapes


def _decades(low: float, high: float, y_of: Callable[[float], float], layout: Layout) -> list[Shape]:
    shapes: list[Shape] = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        for part in (1, 2, 5):
            ms = part * 10.0**power
            if ms <= high:
                y = y_of(ms)
                shapes += [
                    line(LEFT, y, layout.width - RIGHT, y, "grid", 1.0 if part == 1 else 0.5),
                    Text(LEFT - 8, y + 4, f"{ms:g}", "soft", "end", 12),
                ]
    return shapes


def _in_words(one: LatencySummary) -> str:
    return ", ".join(f"{name} {number(value.value)} ms" for name, value in one.latencies_ms.items())


# All of them


def charts_of(summary: Summary, curve: Curve | None = None, layout: Layout = WIDE) -> dict[str, Chart]:
    """Return every plot of a result file, by key: the experiments, the curve, the loads, the latencies."""
    charts: dict[str, Chart] = {}
    for one in summary.experiments:
        is_ladder = one.ladder and any(cost.step and is_step(cost, one) for cost in one.costs)
        if is_ladder or len(one.costs) > 3:
            charts[one.key] = waterfall(one, layout) if is_ladder else bars_of(one, layout)
    if curve and curve.points:
        charts["curve"] = curve_chart(curve, layout)
    charts |= {load.key: load_bars(load, layout) for load in summary.loads}
    return charts | _latency_charts(summary, layout)


def _latency_charts(summary: Summary, layout: Layout) -> dict[str, Chart]:
    found: dict[str, list[LatencySummary]] = {}
    for one in summary.latencies:
        if one.latencies_ms:
            found.setdefault(f"{one.key}-{one.share:.0%}".replace("%", ""), []).append(one)
    return {key: latency_chart(group, layout) for key, group in found.items()}


def pictures_of(summary: Summary, curve: Curve | None = None) -> dict[str, Picture]:
    """Return every plot as elements of a page."""
    wide, narrow = (charts_of(summary, curve, layout) for layout in (WIDE, NARROW))
    return {
        key: Picture(wide[key].svg(alone=False, kind="wide"), narrow[key].svg(alone=False, kind="narrow"))
        for key in wide
    }
