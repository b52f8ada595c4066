"""A comparison as one HTML file that needs nothing beside it: the timeline drawn, both sides on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader

from .align import Row
from .events import GROUPS, Event, Trace
from .terminal import verdict


def render_page(rows: Sequence[Row], left: Trace, right: Trace | None) -> str:
    """The page's text. ``right`` is None for a trace that stands alone."""
    sides = [left] if right is None else [left, right]
    scale = max(side.duration_us for side in sides) or 1.0
    environment = Environment(loader=PackageLoader("wsgi_core"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("trace.html").render(
        title=left.events[0].name if left.events else "",
        verdict=None if right is None else verdict(rows),
        equal=all(row.equal for row in rows),
        sides=sides,
        lines=[_line(row, sides, scale) for row in rows],
        groups=list(dict.fromkeys(GROUPS.values())),
        scale=scale,
    )


def _line(row: Row, sides: Sequence[Trace], scale: float) -> dict[str, object]:
    events = (row.left, row.right)[: len(sides)]
    return {
        "event": row.event,
        "equal": row.equal,
        "mark": row.mark.strip(),
        "cells": [_bar(event, side.label, scale) for event, side in zip(events, sides, strict=True)],
    }


def _bar(event: Event | None, label: str, scale: float) -> dict[str, object]:
    """Where a bar begins and how long it is, in percent of the longer side."""
    if event is None:
        return {"label": label, "event": None}
    begin = 100 * event.start_us / scale
    return {"label": label, "event": event, "begin": begin, "length": 100 * event.duration_us / scale}
