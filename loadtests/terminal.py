"""The tables on the terminal; no colours and full width on a pipe."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from loadtests.analysis import Summary
from loadtests.results import Results
from loadtests.tables import Table, of, sentences, warnings

COLOURS = {"reached": "green", "missed": "red", "open": "yellow"}
PIPE_WIDTH = 160


def console() -> Console:
    """A console for standard output, wide enough for every table when nobody looks at it."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH, color_system=None)


def show(out: Console, results: Results, summary: Summary) -> None:
    """Print all tables, what they say, and the warnings."""
    for table in of(results, summary):
        out.print()
        _show_table(out, table)
    out.print()
    for sentence in sentences(results, summary):
        out.print(Text(sentence))
    for warning in warnings(results, summary):
        out.print(Text(f"Note: {warning}", style="yellow"))


def _show_table(out: Console, table: Table) -> None:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for position, head in enumerate(table.heads):
        shown.add_column(head, justify="left" if position == 0 else "right")
    for row, mark in zip(table.rows, table.marks or [""] * len(table.rows), strict=True):
        shown.add_row(*row, style=COLOURS.get(mark, ""))
    out.print(shown)
    if table.note:
        out.print(Text(table.note, style="dim"))
