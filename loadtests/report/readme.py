"""Figures for the README, out of a result file: a Markdown table between two markers, and its plot beside it."""

from __future__ import annotations

from pathlib import Path

from loadtests import curve
from loadtests.instrument.results import ResultError, Results
from loadtests.report.analysis import ExperimentSummary, Summary
from loadtests.report.answer import answer
from loadtests.report.charts import bars_of
from loadtests.report.format import Table, machine, render
from loadtests.report.tables import experiment_table, load_table
from loadtests.report.tutorials import crossing_table

BEGIN = "<!-- overhead: begin, written by `python -m loadtests readme` -->"
END = "<!-- overhead: end -->"


class NoMarkers(ResultError):
    """The README has no place for the figures."""


class NoLadder(ResultError):
    """The result file has no figures for a README."""


def section(results: Results, summary: Summary, plot: str) -> str:
    """Return what stands between the markers: the finding, ladder and plot, peers, the services served, crossings."""
    found = curve.summarise(results)
    peers = summary.experiment("peers")
    # On other servers too it is measured; the report has those.
    loads = [load_table(load) for load in summary.loads if load.server == "waitress"]
    tables = [*([experiment_table(peers)] if peers else []), *loads]
    tables += [crossing_table(found)] if found and found.points else []
    said = answer(results, summary, found).lines
    values = {"said": said, "ladder": short_ladder(summary), "plot": plot, "tables": tables}
    return render("readme.md", begin=BEGIN, end=END, machine=machine(results), **values).rstrip("\n")


def short_ladder(summary: Summary) -> Table:
    """One row for each rung: its cost with the null model and with churn, and its share of Flask's."""
    first, *others = [one for one in summary.experiments if one.ladder]
    rungs = [cost.name for cost in first.costs]
    ladders = [first, *(one for one in others if [cost.name for cost in one.costs] == rungs)]
    full = [experiment_table(one) for one in ladders]
    heads = ["CPU time of one request, µs"]
    for one in ladders:
        heads += [f"{one.key} model", "95 % interval", f"÷ {one.reference}"]
    rows = [[cost.name, *_cells(ladders, full, position)] for position, cost in enumerate(ladders[0].costs)]
    return Table("", heads, rows)


def _cells(ladders: list[ExperimentSummary], tables: list[Table], position: int) -> list[str]:
    cells: list[str] = []
    for table in tables[: len(ladders)]:
        row = table.rows[position]
        cells += [row[1], row[2], row[-2]]
    return cells


def write(results: Results, summary: Summary, readme: Path, plot: Path) -> None:
    """Put the section into ``readme`` and the plot into ``plot``; raises ``NoMarkers``, ``NoLadder``."""
    ladder = summary.experiment("null")
    if ladder is None:
        raise NoLadder("no ladder was measured there: it is part of wsgi-core overhead without --study")
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoMarkers(f"{readme} holds no place for the figures: {BEGIN} ... {END}")
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_text(bars_of(ladder).svg(), encoding="utf-8", newline="\n")
    target = Path(plot.resolve()).relative_to(readme.resolve().parent).as_posix()
    readme.write_text(before + section(results, summary, target) + after, encoding="utf-8", newline="\n")
