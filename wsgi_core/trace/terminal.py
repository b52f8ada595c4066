"""Show one trace, or a comparison of two traces, as a table in the terminal. Each row is an event, or a difference
between the two responses.
"""

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
# The minimum width of the columns for events and for locations.
_MIN_WIDTH = 12


def terminal_width() -> int:
    """Return the width of the terminal in characters, or 80 if it is unknown.

    The environment variable COLUMNS overrides the width.
    """
    return shutil.get_terminal_size().columns


def render(rows: Sequence[Row], left: Trace, right: Trace | None, width: int | None = None, times: bool = False) -> str:
    """Return the comparison as text with colours. `click.echo` removes the colours if the output is not a terminal.

    right: the second trace, or None if there is only one trace
    width: the maximum width of the table in characters, or None for no limit
    times: whether to show how long each event took
    """
    labels = [left.label] if right is None else [left.label, right.label]
    # The columns are the mark, the event, and then the time and the location for each trace.
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
    """Reduce the widths of the columns `flexible`, until a row of the table fits into `width` characters.

    `widths` is changed in place and returned. If `width` is None, nothing changes. In each step, the widest of these
    columns becomes one character narrower, but not below `_MIN_WIDTH`. The event column (index 1) counts as half as
    wide, because a shortened event loses more than a shortened location.
    """
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max(flexible, key=lambda i: widths[i] / (2 if i == 1 else 1))
        if widths[widest] <= _MIN_WIDTH:
            break
        widths[widest] -= 1
    return widths


def _both(row: Row) -> str:
    return printable(f"{row.left} | {row.right}")


def _is_cut(row: Row, cells: Sequence[str], widths: Sequence[int]) -> bool:
    """Return whether a row has two different events, and their cell is cut. Then the cut may hide the difference."""
    return row.mark == "!" and len(cells[1]) > widths[1]


def _cells(row: Row, sides: int) -> list[str]:
    """Return the cells of a row: the mark, the event, and then the time and the location of the event in each trace."""
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
    """Yield the cells, each shortened to the width of its column.

    The text of an event is cut at its end. A location loses its folders first, and is then cut at its beginning.
    """
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
        text += " (includes the tracer's overhead: do not compare the frameworks)"
    color = None if right is None else "green" if all(row.equal for row in rows) else "red"
    return click.style(text, fg=color, bold=True)


def verdict(rows: Sequence[Row]) -> str:
    """Return a short text that says whether the traces are equal, or how many rows are different."""
    different = sum(not row.equal for row in rows)
    if not different:
        return f"equal: {len(rows)} events"
    return f"different: {different} of {len(rows)} rows"


def single_trace_rows(events: Sequence[Event]) -> list[Row]:
    """Return the rows of a single trace. Each row has the same event on both sides, so no row is marked."""
    return [Row(event, event) for event in events]
