"""Print the report. On a terminal, the report has colours; elsewhere, it has no colours and 160 columns."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from loadtests.instrument.results import Results
from loadtests.report import noise
from loadtests.report.analysis import Summary
from loadtests.report.comparison import Comparison
from loadtests.report.comparison import table as comparison_table
from loadtests.report.findings import findings_of
from loadtests.report.format import Table
from loadtests.report.page import sections
from loadtests.report.tables import warnings

COLOURS = {"reached": "green", "missed": "red", "open": "yellow"}
MACHINE = {noise.QUIET: "green", noise.NOISY: "yellow", noise.UNUSABLE: "bold red", noise.UNKNOWN: "yellow"}
PIPE_WIDTH = 160


def console() -> Console:
    """Return a console for standard output. Without a terminal, it has ``PIPE_WIDTH`` columns and no colours."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH, color_system=None)


def show(out: Console, results: Results, summary: Summary) -> None:
    """Print the findings and the verdict on the machine, then the tables of the page and the warnings."""
    findings = findings_of(results, summary)
    out.print()
    out.print(Text(findings.headline, style="bold"))
    out.print(Text(findings.machine.sentence, style=MACHINE[findings.machine.verdict]))
    for line in findings.others:
        out.print(Text(line))
    for section in sections(results, summary):
        for table in section.tables:
            out.print()
            show_table(out, table)
    out.print()
    for warning in warnings(results, summary):
        out.print(Text(f"Note: {warning}", style="yellow"))


def show_table(out: Console, table: Table) -> None:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for position, head in enumerate(table.heads):
        shown.add_column(head, justify="left" if position == 0 else "right")
    for mark, row in table.marked():
        shown.add_row(*row, style=COLOURS.get(mark, ""))
    out.print(shown)
    if table.note:
        out.print(Text(table.note, style="dim"))


def show_comparison(out: Console, found: Comparison) -> None:
    """Print the changes between two result files, and the outcome."""
    if found.changes:
        show_table(out, comparison_table(found))
    for note in found.notes:
        out.print(Text(f"Note: {note}", style="yellow"))
    out.print(Text(found.sentence, style="bold"))
