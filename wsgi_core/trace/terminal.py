"""A comparison as text: one row per event, the two sides beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence

import click

from .align import Row
from .events import Event, Trace
from .formatting import printable

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
# The columns of an event and of a location are never narrower.
_NARROWEST = 12


def terminal_width() -> int:
    """Return the columns of the terminal; COLUMNS comes first, and 80 stands for what has no width."""
    return shutil.get_terminal_size().columns


def render(rows: Sequence[Row], left: Trace, right: Trace | None, width: int | None = None, times: bool = False) -> str:
    """Return the whole text, with colours, which `click.echo` drops where they do not belong.

    ``right`` is None for a trace that stands alone, as the left one. ``width``: how many columns the table may
    have; None for as many as it takes. ``times``: show how long each event took.
    """
    labels = [left.label] if right is None else [left.label, right.label]
    # Mark, event, then time and location of each side.
    columns = [0, 1, *(i for i in range(2, 2 + 2 * len(labels)) if times or i % 2)]
    head = ["", "event", *(text for label in labels for text in ("µs", printable(label)))]
    table = [[cells[i] for i in columns] for cells in (head, *(_cells(row, len(labels)) for row in rows))]
    flexible = [i for i, column in enumerate(columns) if column % 2]
    widths = _fit([max(len(line[i]) for line in table) for i in range(len(columns))], flexible, width)
    lines = [_line(cells, widths, flexible) for cells in table]
    painted = [
        click.style(lines[0], bold=True),
        *(_paint(row, line) for row, line in zip(rows, lines[1:], strict=True)),
    ]
    cut = [_both(row) for row, cells in zip(rows, table[1:], strict=True) if _is_cut(row, cells, widths)]
    return "\n".join([*painted, "", *(f"! {each}" for each in cut), *_notes(rows), _verdict(rows, left, right, times)])


def _fit(widths: list[int], flexible: Sequence[int], width: int | None) -> list[int]:
    """Return the widths, made less where there is most, until the line fits.

    An event gets twice as much as a location: of a location the end, file and line, is enough.
    """
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max(flexible, key=lambda i: widths[i] / (2 if i == 1 else 1))
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _both(row: Row) -> str:
    return printable(f"{row.left} | {row.right}")


def _is_cut(row: Row, cells: Sequence[str], widths: Sequence[int]) -> bool:
    """Return whether a row cannot show in what its sides differ."""
    return row.mark == "!" and len(cells[1]) > widths[1]


def _cells(row: Row, sides: int) -> list[str]:
    """Return mark, event, and for each side time and location."""
    text = _both(row) if row.mark == "!" else printable(str(row.event))
    cells = [row.mark, f"{'  ' * row.event.depth}{text}"]
    for event in (row.left, row.right)[:sides]:
        cells += ["", ""] if event is None else [f"{event.duration_us:.0f}", _location(event)]
    return cells


def _location(event: Event) -> str:
    location = printable(event.location)
    return f"{location} *" if event.note else location


def _line(cells: Sequence[str], widths: Sequence[int], flexible: Sequence[int]) -> str:
    padded = [
        text.ljust(width) if i == 0 or i in flexible else text.rjust(width)
        for i, (text, width) in enumerate(zip(_shortened(cells, widths), widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _shortened(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """Yield the cells: an event loses its end, a location its folders, then its beginning."""
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
    notes = (f"* {event.kind} {event.name}".rstrip() + f": {event.note}" for event in events)
    return list(dict.fromkeys(map(printable, notes)))


def _verdict(rows: Sequence[Row], left: Trace, right: Trace | None, times: bool) -> str:
    sides = [left] if right is None else [left, right]
    text = f"{len(rows)} events" if right is None else verdict(rows)
    if times:
        text += "; " + ", ".join(f"{printable(side.label)} {side.duration_us:.0f} µs" for side in sides)
        text += " (with the tracer, which makes both slower: compare events, not frameworks)"
    color = None if right is None else "green" if all(row.equal for row in rows) else "red"
    return click.style(text, fg=color, bold=True)


def verdict(rows: Sequence[Row]) -> str:
    """Return the answer in a few words."""
    different = sum(not row.equal for row in rows)
    if not different:
        return f"equal: {len(rows)} events"
    return f"different: {different} of {len(rows)} rows"


def alone(events: Sequence[Event]) -> list[Row]:
    """Return the rows of a trace that is compared with nothing: the same event on both sides."""
    return [Row(event, event) for event in events]
