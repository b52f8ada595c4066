"""The plots of the report: bars, the ladder as a waterfall, the curve, latencies. ``canvas.py`` draws their shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtests.curve import Curve, Line, Point
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import ExperimentSummary, LatencySummary, Summary
from loadtests.report.canvas import Chart, Dot, Path, Rect, Shape, Text, line
from loadtests.report.tables import number

WIDTH = 720
LABEL_WIDTH = 215
VALUE_WIDTH = 70
BAR_HEIGHT = 22
GAP = 12
TOP = 56
HIGH = 1e300
OWN = "wsgi_core"


@dataclass(frozen=True)
class Bar:
    """One bar: ``own`` marks the project's own in colour."""

    label: str
    value: Estimate
    own: bool = False


def _far(value: Estimate) -> float:
    return max(value.high, value.value) if value.high < HIGH else value.value


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> Chart:
    """Horizontal bars from 0, each with its 95 % interval as a whisker and its value beside it."""
    height = TOP + len(bars) * (BAR_HEIGHT + GAP) + 24
    top = max([*(_far(bar.value) for bar in bars), 1e-9])
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / top
    shapes: list[Shape] = [Text(0, 18, title, size=14, bold=True), *_grid(top, scale, height)]
    for position, bar in enumerate(bars):
        shapes += _bar(bar, TOP + position * (BAR_HEIGHT + GAP), scale)
    shapes.append(Text(LABEL_WIDTH, height - 4, unit, "soft", size=12))
    described = "; ".join(f"{bar.label} {number(bar.value.value)}" for bar in bars)
    return Chart(WIDTH, height, shapes, f"{title}: {described}")


def _grid(top: float, scale: float, height: int) -> list[Shape]:
    shapes: list[Shape] = []
    for value in ticks(top):
        x = LABEL_WIDTH + value * scale
        shapes += [line(x, TOP - 8, x, height - 24, "grid"), Text(x, TOP - 12, f"{value:g}", "soft", "middle", 12)]
    return shapes


def ticks(top: float) -> list[float]:
    """Round values from 0 to ``top``, four to eight of them."""
    step = 1.0
    while top / step > 8:
        step *= 10
    while top / step < 0.8:
        step /= 10
    for part in (0.1, 0.2, 0.5, 1.0):
        if top / (step * part) <= 8:
            step *= part
            break
    return [round(index * step, 12) for index in range(int(top / step) + 1)]


def _bar(bar: Bar, y: float, scale: float) -> list[Shape]:
    middle, length = y + BAR_HEIGHT / 2, max(0.0, bar.value.value * scale)
    shapes: list[Shape] = [
        Text(LABEL_WIDTH - 10, middle + 4, bar.label, anchor="end"),
        Rect(LABEL_WIDTH, y, length, BAR_HEIGHT, "own" if bar.own else "bar"),
    ]
    if bar.value.high < HIGH:
        low, high = (LABEL_WIDTH + max(0.0, part) * scale for part in (bar.value.low, bar.value.high))
        shapes += _whisker(low, high, middle)
    end = max(length, _far(bar.value) * scale)
    return [*shapes, Text(LABEL_WIDTH + end + 8, middle + 4, number(bar.value.value))]


def _whisker(low: float, high: float, middle: float) -> list[Shape]:
    return [
        line(low, middle, high, middle, "ink", 1.5),
        *(line(x, middle - 5, x, middle + 5, "ink", 1.5) for x in (low, high)),
    ]


# The ladder


STEP = "+"


def waterfall(one: ExperimentSummary, title: str) -> Chart:
    """A ladder: each rung with a ``+`` begins where the one above it ends, the others are whole and begin at 0."""
    rows = _falls(one)
    height = TOP + len(rows) * (BAR_HEIGHT + GAP) + 24
    top = max(max(start, start + price.value) for _, start, price in rows)
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / max(top, 1e-9)
    shapes: list[Shape] = [Text(0, 18, title, size=14, bold=True), *_grid(top, scale, height)]
    for position, (name, start, price) in enumerate(rows):
        y = TOP + position * (BAR_HEIGHT + GAP)
        shapes += _fall(name, start, price, y, scale)
        if position + 1 < len(rows) and rows[position + 1][0].startswith(STEP):
            x = LABEL_WIDTH + (start + price.value) * scale
            shapes.append(line(x, y + BAR_HEIGHT, x, y + BAR_HEIGHT + GAP, "soft"))
    unit = "µs of CPU time a request; beside a step its own price, beside the others the whole"
    shapes.append(Text(LABEL_WIDTH, height - 4, unit, "soft", size=12))
    described = "; ".join(f"{name} {number(price.value)} µs" for name, _, price in rows)
    return Chart(WIDTH, height, shapes, f"{title}: {described}")


def _falls(one: ExperimentSummary) -> list[tuple[str, float, Estimate]]:
    """For each rung its name, where its bar begins, and its length."""
    rows = []
    reached = 0.0
    for cost in one.costs:
        is_step = cost.step is not None and cost.name.startswith(STEP)
        start, length = (reached, cost.step) if is_step and cost.step else (0.0, cost.cost)
        rows.append((cost.name, start, length))
        reached = start + length.value
    return rows


def _fall(name: str, start: float, price: Estimate, y: float, scale: float) -> list[Shape]:
    left = LABEL_WIDTH + max(0.0, min(start, start + price.value)) * scale
    width, middle = abs(price.value) * scale, y + BAR_HEIGHT / 2
    is_step = name.startswith(STEP)
    colour = "step" if is_step else "own" if name == OWN else "bar"
    sign = ("+" if price.value > 0 else "\u2212") if is_step else ""
    return [
        Text(LABEL_WIDTH - 10, middle + 4, name, anchor="end"),
        Rect(left, y, max(width, 1.0), BAR_HEIGHT, colour),
        Text(left + width + 8, middle + 4, f"{sign}{number(abs(price.value))}"),
    ]


# The curve

PLOT_HEIGHT = 420
LEFT, RIGHT, BOTTOM = 64, 20, 52
LEAST_SHARE, LEAST_US, MOST_US = 0.001, 1.0, 300_000.0
SHARES = ((1.0, "100 %"), (0.5, "50 %"), (0.1, "10 %"), (0.01, "1 %"), (0.001, "0.1 %"))
TIMES = ((1, "1 µs"), (10, "10 µs"), (100, "100 µs"), (1e3, "1 ms"), (1e4, "10 ms"), (1e5, "100 ms"))
COLOUR = {"Flask": "other", OWN: "own"}


def _curve_x(us: float) -> float:
    part = math.log(min(max(us, LEAST_US), MOST_US) / LEAST_US) / math.log(MOST_US / LEAST_US)
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _curve_y(share: float) -> float:
    part = math.log(min(max(share, LEAST_SHARE), 1.0) / LEAST_SHARE) / -math.log(LEAST_SHARE)
    return TOP + (1 - part) * (PLOT_HEIGHT - TOP - BOTTOM)


def curve_chart(curve: Curve) -> Chart:
    """The framework's share of a request against the model's time, both on a scale of tens."""
    bottom = PLOT_HEIGHT - BOTTOM
    shapes: list[Shape] = [Text(0, 18, "The framework's share of the request, by the model's time", size=14, bold=True)]
    for share, name in SHARES:
        y = _curve_y(share)
        shapes += [line(LEFT, y, WIDTH - RIGHT, y, "grid"), Text(LEFT - 8, y + 4, name, "soft", "end", 12)]
    for us, name in TIMES:
        x = _curve_x(us)
        shapes += [line(x, TOP, x, bottom, "grid"), Text(x, bottom + 18, name, "soft", "middle", 12)]
    for one in curve.lines:
        shapes += _share_line(one)
    shapes += _points(curve.points)
    shapes.append(
        Text(WIDTH / 2, PLOT_HEIGHT - 8, "CPU time of the model for one request, in process", "soft", "middle", 12)
    )
    shapes += _legend([(one.framework, COLOUR[one.framework], False) for one in curve.lines])
    described = "; ".join(_crossings_in_words(one) for one in curve.lines)
    return Chart(WIDTH, PLOT_HEIGHT, shapes, f"The framework's share against the model's time: {described}")


def _share_line(one: Line) -> list[Shape]:
    steps = 80
    times = [LEAST_US * (MOST_US / LEAST_US) ** (index / steps) for index in range(steps + 1)]
    points = tuple((_curve_x(us), _curve_y(one.share(us))) for us in times if one.share(us) >= LEAST_SHARE)
    return [Path(points, COLOUR[one.framework], 2.0)] if len(points) > 1 else []


def _points(points: Sequence[Point]) -> list[Shape]:
    shapes: list[Shape] = []
    for place, point in enumerate(points):
        x = _curve_x(point.time.value)
        for framework, share in point.shares.items():
            if share.high < HIGH:
                low, high = _curve_y(share.low), _curve_y(share.high)
                shapes.append(line(x, low, x, high, COLOUR[framework], 1.5))
            if share.value > LEAST_SHARE:
                shapes.append(Dot(x, _curve_y(share.value), 4, COLOUR[framework]))
        # Fast models lie close together: their names come down in steps, so that no line crosses a name.
        y = PLOT_HEIGHT - BOTTOM - 10 - 15 * (len(points) - 1 - place)
        anchor = "end" if x > WIDTH - 120 else "start"
        shapes += [
            line(x, y, x, PLOT_HEIGHT - BOTTOM, "soft", 0.7),
            Text(x + (4 if anchor == "start" else -4), y + 4, point.model, "soft", anchor, 12),
        ]
    return shapes


def _crossings_in_words(one: Line) -> str:
    found = [(share, one.crossing(share)) for share in (0.5, 0.1, 0.01)]
    return f"{one.framework} " + ", ".join(f"{share:.0%} at {number(at.value)} µs" for share, at in found if at)


def _legend(entries: Sequence[tuple[str, str, bool]]) -> list[Shape]:
    shapes: list[Shape] = []
    x = 0.0
    for name, colour, dashed in entries:
        shapes += [line(x, 36, x + 22, 36, colour, 2.5, dashed), Text(x + 28, 40, name, size=12)]
        x += 42 + 6.6 * len(name)
    return shapes


# Latencies

LATENCY_HEIGHT = 300


def latency_chart(found: Sequence[LatencySummary]) -> Chart:
    """Services at one rate: latency by percentile, counted from the intended start and as a closed loop has it."""
    names = list(dict.fromkeys(name for one in found for name in one.latencies_ms))
    values = [value.value for one in found for value in one.latencies_ms.values() if value.value > 0]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)) + 1e-9)
    bottom = LATENCY_HEIGHT - BOTTOM

    def y_of(ms: float) -> float:
        return bottom - math.log(max(ms, low) / low) / math.log(high / low) * (bottom - TOP)

    def x_of(name: str) -> float:
        return LEFT + 40 + names.index(name) * (WIDTH - LEFT - RIGHT - 80) / max(1, len(names) - 1)

    asked = f"at {number(found[0].asked)} requests a second ({found[0].share:.0%} of what the slowest can do)"
    shapes: list[Shape] = [Text(0, 18, f"Latency {asked}", size=14, bold=True)]
    shapes += _decades(low, high, y_of)
    shapes += [Text(x_of(name), bottom + 18, name, "soft", "middle", 12) for name in names]
    shapes.append(Text(LEFT, LATENCY_HEIGHT - 8, "ms, a scale of tens; percentiles", "soft", size=12))
    entries = []
    for one in found:
        colour, closed = COLOUR.get(one.service, "bar"), one.generator != "open loop"
        points = tuple((x_of(name), y_of(value.value)) for name, value in one.latencies_ms.items())
        shapes += [Path(points, colour, 2.0, closed), *(Dot(x, y, 3, colour) for x, y in points)]
        entries.append((f"{one.service}, {'closed loop' if closed else 'open loop'}", colour, closed))
    described = "; ".join(f"{one.service}, {one.generator}: {_in_words(one)}" for one in found)
    return Chart(WIDTH, LATENCY_HEIGHT, [*shapes, *_legend(entries)], f"Latency {asked}: {described}")


def _decades(low: float, high: float, y_of: Callable[[float], float]) -> list[Shape]:
    shapes: list[Shape] = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = y_of(10.0**power)
        shapes += [
            line(LEFT, y, WIDTH - RIGHT, y, "grid"),
            Text(LEFT - 8, y + 4, f"{10.0**power:g}", "soft", "end", 12),
        ]
    return shapes


def _in_words(one: LatencySummary) -> str:
    return ", ".join(f"{name} {number(value.value)} ms" for name, value in one.latencies_ms.items())


# All of them


def charts_of(summary: Summary, curve: Curve | None = None) -> dict[str, Chart]:
    """Every plot of a result file, by key: the ladder, the curve, the experiments, the loads, the latencies."""
    charts: dict[str, Chart] = {}
    for one in summary.experiments:
        if one.ladder and all(cost.step for cost in one.costs[1:]):
            charts[f"{one.key}-waterfall"] = waterfall(one, one.title)
    if curve and curve.points:
        charts["curve"] = curve_chart(curve)
    for one in summary.experiments:
        if len(one.costs) > 3:
            bars = [Bar(cost.name, cost.cost, cost.name.startswith(OWN)) for cost in one.costs]
            charts[one.key] = bar_chart(one.title, f"µs of {_clock(one.clock)} a request, 95 % interval", bars)
    for load in summary.loads:
        bars = [Bar(s.name, s.server_cpu_us, s.name.startswith(OWN)) for s in load.services]
        charts[load.key] = bar_chart(load.title, "µs of server CPU time a request, 95 % interval", bars)
    return charts | _latency_charts(summary)


def _latency_charts(summary: Summary) -> dict[str, Chart]:
    found: dict[str, list[LatencySummary]] = {}
    for one in summary.latencies:
        if one.latencies_ms:
            found.setdefault(f"{one.key}-{one.share:.0%}".replace("%", ""), []).append(one)
    return {key: latency_chart(group) for key, group in found.items()}


def _clock(name: str) -> str:
    return "CPU time" if name == "cpu" else "wall time"
