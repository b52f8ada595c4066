"""Plots as SVG text, made here: bars with intervals. They follow the reader's light or dark mode."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from loadtests.stats import Estimate
from loadtests.tables import number

WIDTH = 720
LABEL_WIDTH = 170
VALUE_WIDTH = 70
BAR_HEIGHT = 22
GAP = 12
TOP = 56

STYLE = """
.chart { --ink: #1f2328; --soft: #656d76; --grid: #d8dee4; --bar: #8ea4bd; --own: #1f7a5c; --whisker: #1f2328; }
@media (prefers-color-scheme: dark) {
  .chart { --ink: #e6edf3; --soft: #8d96a0; --grid: #30363d; --bar: #5b7390; --own: #3fae86; --whisker: #e6edf3; }
}
.chart text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
.chart .title { font-weight: 600; font-size: 14px; }
.chart .soft { fill: var(--soft); font-size: 12px; }
.chart .bar { fill: var(--bar); }
.chart .own { fill: var(--own); }
.chart .grid { stroke: var(--grid); }
.chart .whisker { stroke: var(--whisker); stroke-width: 1.5; }
""".strip()


@dataclass(frozen=True)
class Bar:
    """One bar: ``own`` marks the project's own in colour."""

    label: str
    value: Estimate
    own: bool = False


def bar_chart(title: str, unit: str, bars: list[Bar]) -> str:
    """Horizontal bars from 0, each with its 95 % interval as a whisker and its value beside it."""
    height = TOP + len(bars) * (BAR_HEIGHT + GAP) + 24
    top = max(max(bar.value.high, bar.value.value) if bar.value.high < 1e300 else bar.value.value for bar in bars)
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / top
    parts = [f'<text class="title" x="0" y="18">{escape(title)}</text>']
    parts += _grid(top, scale, height)
    for position, bar in enumerate(bars):
        parts += _bar(bar, TOP + position * (BAR_HEIGHT + GAP), scale)
    parts.append(f'<text class="soft" x="{LABEL_WIDTH}" y="{height - 4}">{escape(unit)}</text>')
    described = "; ".join(f"{bar.label} {number(bar.value.value)}" for bar in bars)
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}: {escape(described)}">\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _grid(top: float, scale: float, height: int) -> list[str]:
    lines = []
    for value in ticks(top):
        x = LABEL_WIDTH + value * scale
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 24}"/>')
        lines.append(f'<text class="soft" x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{value:g}</text>')
    return lines


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


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    middle = y + BAR_HEIGHT / 2
    length = bar.value.value * scale
    parts = [
        f'<text x="{LABEL_WIDTH - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{"own" if bar.own else "bar"}" x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}"'
        f' height="{BAR_HEIGHT}" rx="2"/>',
    ]
    end = length
    if bar.value.high < 1e300:
        low, high = LABEL_WIDTH + max(0.0, bar.value.low) * scale, LABEL_WIDTH + bar.value.high * scale
        parts.append(f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>')
        parts += [
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 5}" y2="{middle + 5}"/>'
            for x in (low, high)
        ]
        end = max(length, bar.value.high * scale)
    x = LABEL_WIDTH + end + 8
    return [*parts, f'<text x="{x:.1f}" y="{middle + 4:.1f}">{number(bar.value.value)}</text>']
