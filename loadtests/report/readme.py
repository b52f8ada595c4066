"""The published figures, out of a result file: a table for the README with its plot, and the page of all results."""

from __future__ import annotations

import os
from pathlib import Path

from loadtests import curve
from loadtests.instrument.results import ResultError, Results
from loadtests.report.analysis import Cost, ExperimentSummary, Summary
from loadtests.report.charts import bars_of, charts_of
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, cells, machine, number, render, with_interval, write_text
from loadtests.report.noise import QUIET
from loadtests.report.page import sections
from loadtests.report.tables import warnings

BEGIN = "<!-- overhead: begin, written by `python -m loadtests readme` -->"
END = "<!-- overhead: end -->"
SHOWN = ("raw callable", "wsgi_core", "Flask")


def section(results: Results, summary: Summary, plot: str) -> str:
    """Return what stands between the markers: the finding, three rungs of the ladder, the plot."""
    findings = findings_of(results, summary, curve.summarise(results))
    return render(
        "readme.md",
        begin=BEGIN,
        end=END,
        findings=findings.headline,
        noise="" if findings.machine.verdict == QUIET else findings.machine.sentence,
        ladder=three_rungs(summary),
        plot=plot,
        machine=machine(results),
    ).rstrip("\n")


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
    """Return the ladders with the rungs of the one with the null model."""
    rungs = [cost.name for cost in _ladder(summary).costs]
    return [one for one in summary.experiments if one.ladder and [cost.name for cost in one.costs] == rungs]


def _ladder(summary: Summary) -> ExperimentSummary:
    """Return the ladder with the null model; raises ``ResultError``."""
    one = summary.experiment("null")
    if one is None or not set(SHOWN) <= {cost.name for cost in one.costs}:
        raise ResultError("no ladder from the bare callable to Flask was measured there: wsgi-core overhead has it")
    return one


def results_page(results: Results, summary: Summary, pictures: str) -> str:
    """Return the page with all that was measured; its plots are in the folder ``pictures`` beside it."""
    found = curve.summarise(results)
    findings = findings_of(results, summary, found)
    return render(
        "results.md",
        findings=findings.lines,
        ladder=short_ladder(summary),
        sections=sections(results, summary, found),
        charts=charts_of(summary, found),
        folder=pictures,
        machine=machine(results),
        notes=warnings(results, summary),
    )


def short_ladder(summary: Summary) -> Table:
    """Return one row for each rung: its cost with the null model and with churn, and its share of Flask's."""
    ladders = _alike(summary)
    heads = ["CPU time of one request, µs"]
    for one in ladders:
        heads += [f"÷ {one.reference}, {one.key} model", "µs", "95 % interval"]
    rows = [
        [name, *(cell for one in ladders for cell in (_ratio(one.cost(name), one), *cells(one.cost(name).cost)))]
        for name in (cost.name for cost in ladders[0].costs)
    ]
    return Table("", heads, rows)


def write(results: Results, summary: Summary, readme: Path, plot: Path) -> None:
    """Put the section into ``readme`` and the plot into ``plot``; raises ``ResultError``."""
    ladder = _ladder(summary)
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ResultError(f"{readme} does not have the markers {BEGIN} ... {END}")
    write_text(plot, bars_of(ladder).svg())
    target = Path(os.path.relpath(plot, readme.parent)).as_posix()
    write_text(readme, before + section(results, summary, target) + after)


def write_results(results: Results, summary: Summary, page: Path) -> None:
    """Write the page of all results, and its plots into the folder beside it that has the page's name."""
    folder = page.with_suffix("")
    text = results_page(results, summary, folder.name)
    for old in folder.glob("*.svg"):
        old.unlink()
    for key, chart in charts_of(summary, curve.summarise(results)).items():
        write_text(folder / f"{key}.svg", chart.svg())
    write_text(page, text)
