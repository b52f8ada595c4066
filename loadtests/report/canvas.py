"""Plots as a list of shapes, rendered as SVG that follows the reader's light or dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# By name: light, dark.
COLOURS = {
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9198a1"),
    "grid": ("#d8dee4", "#30363d"),
    "bar": ("#8ea4bd", "#5b7390"),
    "own": ("#1f7a5c", "#3fae86"),
    "step": ("#c3cfdd", "#3d4f66"),
    "other": ("#b3541e", "#e08e5a"),
    "paper": ("#ffffff", "#0d1117"),
}
FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'


@dataclass(frozen=True)
class Text:
    """Text at a baseline. ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    colour: str = "ink"
    anchor: str = "start"
    size: int = 13
    bold: bool = False


@dataclass(frozen=True)
class Rect:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Path:
    """A polyline through the points."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


Shape = Text | Rect | Path | Dot


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0, dashed: bool = False) -> Path:
    """Return a straight line."""
    return Path(((x1, y1), (x2, y2)), colour, width, dashed)


@dataclass(frozen=True)
class Chart:
    """A plot: its shapes, and a text alternative for readers who cannot see it."""

    width: int
    height: int
    shapes: Sequence[Shape]
    description: str

    def svg(self, alone: bool = True, kind: str = "") -> str:
        """Return the SVG: a document with its own colours if ``alone``, otherwise an element for a page."""
        body = "\n".join(_svg(shape) for shape in self.shapes)
        # A separate file follows the system's mode, not the page's, so it needs a background of its own.
        ground = '<rect width="100%" height="100%" style="fill: var(--paper)"/>\n' if alone else ""
        return (
            f'<svg class="chart {kind}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' role="img" aria-label="{escape(self.description)}">\n'
            + (f"<style>{STYLE}</style>\n{ground}" if alone else "")
            + f"{body}\n</svg>\n"
        )


def _style() -> str:
    light, dark = (" ".join(f"--{name}: {pair[mode]};" for name, pair in COLOURS.items()) for mode in (0, 1))
    return (
        f":root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
        f" @media print {{ :root {{ {light} }} }} .chart text {{ font-family: {FONT}; }}"
    )


STYLE = _style()


def _svg(shape: Shape) -> str:
    fill = f'style="fill: var(--{shape.colour})"'
    if isinstance(shape, Text):
        weight = ' font-weight="600"' if shape.bold else ""
        place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
        return f'<text {place} font-size="{shape.size}"{weight} {fill}>{escape(shape.text)}</text>'
    if isinstance(shape, Rect):
        size = f'width="{max(shape.width, 0.0):.1f}" height="{shape.height:.1f}"'
        return f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" {size} rx="2" {fill}/>'
    if isinstance(shape, Dot):
        return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}" {fill}/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
    dashes = ' stroke-dasharray="5 4"' if shape.dashed else ""
    stroke = f'style="fill: none; stroke: var(--{shape.colour})" stroke-width="{shape.width:g}"'
    return f'<polyline points="{points}" {stroke}{dashes}/>'
