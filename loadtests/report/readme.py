"""The README's figures from a result file: a table between two markers, and a plot."""

from __future__ import annotations

from pathlib import Path

from loadtests import curve
from loadtests.instrument.results import ResultError, Results
from loadtests.report.analysis import Cost, ExperimentSummary, Summary
from loadtests.report.charts import bars_of
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, machine, number, render, with_interval
from loadtests.report.tables import experiment_table, load_table, warnings
from loadtests.report.tutorials import crossing_table, share_table

BEGIN = "<!-- overhead: begin, written by `python -m loadtests readme` -->"
END = "<!-- overhead: end -->"
SHOWN = ("raw callable", "wsgi_core", "Flask")


class NoMarkers(ResultError):
    """The README does not have the two markers."""


class NoLadder(ResultError):
    """The result file has no ladder, so it has no figures for the README."""


def section(results: Results, summary: Summary, plot: str) -> str:
    """Return the text between the markers: the findings, three rungs of the ladder, the plot."""
    said = findings_of(results, summary, curve.summarise(results)).headline
    values = {"said": said, "ladder": three_rungs(summary), "plot": plot, "machine": machine(results)}
    return render("readme.md", begin=BEGIN, end=END, **values).rstrip("\n")


def three_rungs(summary: Summary) -> Table:
    """Return a row each for the bare callable, the core and Flask: first the ratio, then the cost."""
    ladders = _alike(summary)
    heads = [""]
    for one in ladders:
        heads += [f"{one.key} model: ÷ {one.reference}", "µs"]
    rows = [
        [name, *(cell for one in ladders for cell in (_ratio(one.cost(name), one), with_interval(one.cost(name).cost)))]
        for name in SHOWN
    ]
    return Table("", heads, rows)


def _ratio(cost: Cost, one: ExperimentSummary) -> str:
    return "1" if cost.name == one.reference else number(cost.to_reference.value)


def _alike(summary: Summary) -> list[ExperimentSummary]:
    """Return the ladders that have the same rungs as the first one."""
    first, *others = [one for one in summary.experiments if one.ladder]
    rungs = [cost.name for cost in first.costs]
    return [first, *(one for one in others if [cost.name for cost in one.costs] == rungs)]


def results_page(results: Results, summary: Summary) -> str:
    """Return the page with all figures of the result file."""
    found = curve.summarise(results)
    peers = summary.experiment("peers")
    tables = [*([experiment_table(peers)] if peers else []), *map(load_table, summary.loads)]
    tables += [crossing_table(found), share_table(found)] if found and found.points else []
    values = {"said": findings_of(results, summary, found).lines, "ladder": short_ladder(summary), "tables": tables}
    return render("results.md", machine=machine(results), notes=warnings(results, summary), **values)


def short_ladder(summary: Summary) -> Table:
    """Return one row for each rung: its cost with the null model and with churn, and its share of Flask's."""
    ladders = _alike(summary)
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
    """Write the section into ``readme`` and the plot to ``plot``. Raises ``NoMarkers`` and ``NoLadder``."""
    ladder = summary.experiment("null")
    if ladder is None:
        raise NoLadder("the results have no ladder; measure one with: wsgi-core overhead")
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoMarkers(f"{readme} does not have the markers {BEGIN} ... {END}")
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_text(bars_of(ladder).svg(), encoding="utf-8", newline="\n")
    target = Path(plot.resolve()).relative_to(readme.resolve().parent).as_posix()
    readme.write_text(before + section(results, summary, target) + after, encoding="utf-8", newline="\n")
