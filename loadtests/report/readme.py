"""Figures for the README, out of a result file: a Markdown table between two markers, and its plot beside it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from loadtests import curve
from loadtests.instrument.results import ResultError, Results
from loadtests.report import claims
from loadtests.report.analysis import ExperimentSummary, Summary
from loadtests.report.answer import findings
from loadtests.report.charts import charts_of
from loadtests.report.tables import Table, experiment_table, load_table

BEGIN = "<!-- overhead: begin, written by `python -m loadtests readme` -->"
END = "<!-- overhead: end -->"


class NoMarkers(ResultError):
    """The README has no place for the figures."""


class NoLadder(ResultError):
    """The result file has no figures for a README."""


def markdown(table: Table, words: Collection[int] = (0,)) -> str:
    """The table in GitHub's Markdown, numbers to the right; ``words`` are the columns that hold none."""
    rules = ["---" if column in words else "---:" for column in range(len(table.heads))]
    lines = [table.heads, rules, *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def section(results: Results, summary: Summary, plot: str) -> str:
    """What stands between the markers: the answer, ladder and plot, peers, the services served, crossings, machine."""
    found = curve.summarise(results)
    parts = [*findings(results, summary, found)[:1], markdown(short_ladder(summary))]
    parts.append(f"![What a request costs: CPU time by rung]({plot})")
    peers = summary.experiment("peers")
    parts += _captioned(experiment_table(peers)) if peers else []
    # On other servers too it is measured; the report has those.
    for load in [one for one in summary.loads if one.server == "waitress"]:
        parts += _captioned(load_table(load))
    if found and found.points:
        parts += _captioned(claims.crossing_table(found))
    parts.append(machine(results))
    return "\n\n".join([BEGIN, *parts, END])


def _captioned(table: Table) -> list[str]:
    return [f"{table.title}:", markdown(table)]


def machine(results: Results) -> str:
    """When and on what it was measured, in one line."""
    environment = results.environment
    return (
        f"Measured {results.started[:10]} on {environment['cpu']},"
        f" {environment['usable_threads'] or environment['threads']} threads,"
        f" {environment['python'].partition(' (')[0]}; {results.rows}."
    )


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
    if summary.experiment("null") is None:
        raise NoLadder("no ladder was measured there: it is part of wsgi-core overhead without --study")
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoMarkers(f"{readme} holds no place for the figures: {BEGIN} ... {END}")
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_text(charts_of(summary)["null"].svg(), encoding="utf-8")
    target = Path(plot.resolve()).relative_to(readme.resolve().parent).as_posix()
    readme.write_text(before + section(results, summary, target) + after, encoding="utf-8")
