"""Plots as shapes, drawn twice: as SVG, which follows the reader's light or dark mode, and as PNG.

The PNG is drawn by Pillow in the font that comes with matplotlib; both are needed for PNGs only.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

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
    """Text at a baseline; ``anchor`` is start, middle or end."""

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
    """Straight lines from point to point."""

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
    """One straight line."""
    return Path(((x1, y1), (x2, y2)), colour, width, dashed)


@dataclass(frozen=True)
class Chart:
    """A plot: its shapes, and in words what it shows for those who cannot see it."""

    width: int
    height: int
    shapes: Sequence[Shape]
    description: str

    def svg(self) -> str:
        """A document of its own that may also stand inside a page."""
        light, dark = (" ".join(f"--{name}: {pair[mode]};" for name, pair in COLOURS.items()) for mode in (0, 1))
        style = f".chart {{ {light} }} @media (prefers-color-scheme: dark) {{ .chart {{ {dark} }} }}"
        style += f" .chart text {{ font-family: {FONT}; }}"
        body = "\n".join(_svg(shape) for shape in self.shapes)
        return (
            f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' role="img" aria-label="{escape(self.description)}">\n<style>{style}</style>\n{body}\n</svg>\n'
        )

    def png(self, scale: int = 2) -> bytes:
        """In light colours, ``scale`` pixels for a unit. Raises ImportError without Pillow or matplotlib."""
        from PIL import Image, ImageDraw

        # Drawn twice as large and made smaller: Pillow's lines have no soft edges.
        factor = 2 * scale
        image = Image.new("RGB", (self.width * factor, self.height * factor), COLOURS["paper"][0])
        pen = _Pen(ImageDraw.Draw(image), factor)
        for shape in self.shapes:
            pen.draw(shape)
        target = io.BytesIO()
        image.resize((self.width * scale, self.height * scale), Image.Resampling.LANCZOS).save(target, "PNG")
        return target.getvalue()


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


class _Pen:
    """Draws shapes with Pillow."""

    def __init__(self, draw: Any, factor: int) -> None:
        self.picture, self.factor = draw, factor

    def draw(self, shape: Shape) -> None:
        colour = COLOURS[shape.colour][0]
        if isinstance(shape, Text):
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
            font = _font(shape.size * self.factor, shape.bold)
            self.picture.text(self._at(shape.x, shape.y), shape.text, font=font, fill=colour, anchor=anchor)
        elif isinstance(shape, Rect):
            right, bottom = shape.x + max(shape.width, 0.0), shape.y + shape.height
            self.picture.rectangle([self._at(shape.x, shape.y), self._at(right, bottom)], fill=colour)
        elif isinstance(shape, Dot):
            self._dot(shape, colour)
        else:
            self._path(shape, colour)

    def _dot(self, dot: Dot, colour: str) -> None:
        corners = [self._at(dot.x - dot.radius, dot.y - dot.radius), self._at(dot.x + dot.radius, dot.y + dot.radius)]
        self.picture.ellipse(corners, fill=colour)

    def _path(self, path: Path, colour: str) -> None:
        width = max(1, round(path.width * self.factor))
        points = [self._at(*point) for point in path.points]
        if not path.dashed:
            self.picture.line(points, fill=colour, width=width, joint="curve")
            return
        for (x1, y1), (x2, y2) in pairwise(points):
            length = max(1.0, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)
            step = 9 * self.factor
            for start in range(0, int(length), step):
                ends = [start / length, min(1.0, (start + step * 5 / 9) / length)]
                dash = [(x1 + (x2 - x1) * part, y1 + (y2 - y1) * part) for part in ends]
                self.picture.line(dash, fill=colour, width=width)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x * self.factor, y * self.factor)


def _font(size: int, bold: bool) -> Any:
    # Pillow's own font has no µ.
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}", round(size * 0.92))
