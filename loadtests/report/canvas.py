"""SVG shapes, and plots made of them. The colours follow the reader's light or dark mode.

An argument ``colour`` is a key of ``COLOURS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

# The colour in light mode and the colour in dark mode, by name.
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


def text(
    x: float, y: float, content: str, colour: str = "ink", anchor: str = "start", size: int = 13, bold: bool = False
) -> str:
    """Return the SVG of a text. ``anchor`` says whether ``x`` is the start, the middle or the end of the text.

    ``y`` is the baseline.
    """
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}"{weight} {_fill(colour)}>{escape(content)}</text>'


def rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Return the SVG of a filled rectangle. Its top left corner is at ``x``, ``y``."""
    size = f'width="{max(width, 0.0):.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} rx="2" {_fill(colour)}/>'


def dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {_fill(colour)}/>'


def path(points: Iterable[tuple[float, float]], colour: str, width: float = 1.0, dashed: bool = False) -> str:
    """Return the SVG of a line through the points."""
    placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    stroke = f'style="fill: none; stroke: var(--{colour})" stroke-width="{width:g}"'
    return f'<polyline points="{placed}" {stroke}{dashes}/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0, dashed: bool = False) -> str:
    return path(((x1, y1), (x2, y2)), colour, width, dashed)


def _fill(colour: str) -> str:
    return f'style="fill: var(--{colour})"'


@dataclass(frozen=True)
class Chart:
    """A plot: its shapes, and a text alternative for readers who cannot see it."""

    width: int
    height: int
    shapes: Sequence[str]
    description: str

    def svg(self, alone: bool = True, kind: str = "") -> str:
        """Return the SVG: if ``alone`` is true, a document with its own colours, otherwise a part of an HTML page.

        ``kind`` is an additional CSS class of the ``svg`` element.
        """
        body = "\n".join(self.shapes)
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
