"""A comparison as text: one row per event, the two sides beside it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

import click

from .align import Row
from .events import Event, Trace

_COLORS = {
    "wsgi": "white",
    "context": "blue",
    "session": "cyan",
    "routing": "cyan",
    "signal": "magenta",
    "hook": "yellow",
    "view": "green",
    "error": "red",
    "response": "bright_white",
}


# An event's or a place's column is never narrower.
_NARROWEST = 12


def terminal_width() -> int | None:
    """The columns of the terminal that is written to (COLUMNS goes first); None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def render(rows: Sequence[Row], left: Trace, right: Trace | None, width: int | None = None) -> str:
    """The whole text, with colours: `click.echo` drops them where they don't belong.

    ``right`` is None for a trace that stands alone, as the left one. ``width``: how many columns the table may
    have; None for as many as it takes.
    """
    labels = [left.label] if right is None else [left.label, right.label]
    table = [_cells(row, len(labels)) for row in rows]
    head = ["", "event", *(text for label in labels for text in ("µs", label))]
    widths = _fit([max(len(line[i]) for line in (head, *table)) for i in range(len(head))], width)
    lines = [click.style(_line(head, widths), bold=True)]
    lines += [_paint(row, _line(cells, widths)) for row, cells in zip(rows, table, strict=True)]
    cut = [f"! {row.left} | {row.right}" for row, cells in zip(rows, table, strict=True) if _is_cut(row, cells, widths)]
    lines += ["", *cut, *_notes(rows), _verdict(rows, left, right)]
    return "\n".join(lines)


def _fit(widths: list[int], width: int | None) -> list[int]:
    """The widths made less where there is most, of events (1) and places (3, 5), until the line fits.

    An event gets twice as much as a place: of a place the end, file and line, is enough.
    """
    flexible = range(1, len(widths), 2)
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max(flexible, key=lambda i: widths[i] / (2 if i == 1 else 1))
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _is_cut(row: Row, cells: Sequence[str], widths: Sequence[int]) -> bool:
    """Whether a row can't show in what its sides differ."""
    return row.mark == "!" and len(cells[1]) > widths[1]


def _cells(row: Row, sides: int) -> list[str]:
    indent = "  " * row.event.depth
    text = f"{indent}{row.event}"
    if row.mark == "!":
        text = f"{indent}{row.left} | {row.right}"
    cells = [row.mark, text]
    for event in (row.left, row.right)[:sides]:
        cells += ["", ""] if event is None else [f"{event.duration_us:.0f}", _place(event)]
    return cells


def _place(event: Event) -> str:
    return f"{event.place} *" if event.note else event.place


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if i >= 2 and i % 2 == 0 else text.ljust(width)
        for i, (text, width) in enumerate(zip(_shortened(cells, widths), widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _shortened(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """An event loses its end, a place its folders, then its beginning: the line number stands at its end."""
    for i, (text, width) in enumerate(zip(cells, widths, strict=True)):
        if len(text) > width and i > 1:
            text = text.rpartition("/")[2]
        if len(text) > width:
            text = f"{text[: width - 1]}…" if i == 1 else f"…{text[1 - width :]}"
        yield text


def _paint(row: Row, line: str) -> str:
    if not row.equal:
        return click.style(line, fg="red", bold=True)
    return click.style(line, fg=_COLORS[row.event.group])


def _notes(rows: Sequence[Row]) -> list[str]:
    events = [event for row in rows for event in (row.left, row.right) if event is not None and event.note]
    return list(dict.fromkeys(f"* {event.kind} {event.name}".rstrip() + f": {event.note}" for event in events))


def _verdict(rows: Sequence[Row], left: Trace, right: Trace | None) -> str:
    if right is None:
        return click.style(f"{len(rows)} events, {left.duration_us:.0f} µs", bold=True)
    total = f"{left.label} {left.duration_us:.0f} µs, {right.label} {right.duration_us:.0f} µs, watching included"
    return click.style(f"{verdict(rows)}; {total}", fg="green" if all(r.equal for r in rows) else "red", bold=True)


def verdict(rows: Sequence[Row]) -> str:
    """The answer in a few words."""
    different = sum(not row.equal for row in rows)
    if not different:
        return f"equal: {len(rows)} events"
    return f"different: {different} of {len(rows)} rows"


def alone(events: Sequence[Event]) -> list[Row]:
    """Rows for a trace that is compared with nothing: the same event on both sides."""
    return [Row(event, event) for event in events]
