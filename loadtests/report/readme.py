"""The published figures, from a result file: a table and a plot for the README, and the page of all results.

A *rung* is an application from a plain WSGI function up to Flask. A *ladder* is an experiment with all rungs. The null
model does no work.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from loadtests.instrument.results import ResultError, Results
from loadtests.report.analysis import ExperimentSummary, Summary
from loadtests.report.charts import bars_of, charts_of
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, machine, number, render, with_interval, write_text
from loadtests.report.noise import QUIET
from loadtests.report.page import sections
from loadtests.report.tables import warnings
from loadtests.studies import FLASK, FLOOR, OWN

BEGIN = "<!-- overhead: begin, written by `python -m loadtests readme` -->"
END = "<!-- overhead: end -->"
SHOWN = (FLOOR, OWN, FLASK)


def section(results: Results, summary: Summary, plot: str) -> str:
    """Return the README's section, which begins and ends with a marker.

    ``plot`` is the path of the plot's file, relative to the README.
    """
    findings = findings_of(results, summary)
    return render(
        "readme.md",
        begin=BEGIN,
        end=END,
        findings=findings.headline,
        noise="" if findings.machine.verdict == QUIET else findings.machine.sentence,
        ladder=ladder_table(summary, SHOWN),
        plot=plot,
        machine=machine(results),
    ).rstrip("\n")


def ladder_table(summary: Summary, names: Sequence[str]) -> Table:
    """Return a table with a row for each rung in ``names``, and two columns for each ladder: a ratio and a cost.

    The ratio is the cost divided by the cost of the ladder's reference. Only ladders with the same rungs as the ladder
    with the null model are shown. Raises ``ResultError`` if the ladder with the null model was not measured, or lacks a
    rung in ``SHOWN``.
    """
    heads, rows = [""], [[name] for name in names]
    for one in _alike(summary):
        heads += [f"{one.key} model: ÷ {one.reference}", "µs"]
        for row in rows:
            cost = one.cost(row[0])
            row += ["1" if cost.name == one.reference else number(cost.to_reference.value), with_interval(cost.cost)]
    return Table("", heads, rows)


def _alike(summary: Summary) -> list[ExperimentSummary]:
    """Return the ladders that have the same rungs as the ladder with the null model."""
    rungs = [cost.name for cost in _ladder(summary).costs]
    return [one for one in summary.experiments if one.ladder and [cost.name for cost in one.costs] == rungs]


def _ladder(summary: Summary) -> ExperimentSummary:
    """Return the ladder with the null model.

    Raises ``ResultError`` if the ladder was not measured, or lacks a rung in ``SHOWN``.
    """
    one = summary.experiment("null")
    if one is None or not set(SHOWN) <= {cost.name for cost in one.costs}:
        raise ResultError(
            "the results have no ladder from the bare callable to Flask; measure one with: wsgi-core overhead"
        )
    return one


def results_page(results: Results, summary: Summary, pictures: str) -> str:
    """Return the page of all results. Its plots are in the folder ``pictures`` beside the page.

    Raises the same exceptions as ``ladder_table``.
    """
    findings = findings_of(results, summary)
    rungs = [cost.name for cost in _ladder(summary).costs]
    return render(
        "results.md",
        findings=findings.lines,
        ladder=ladder_table(summary, rungs),
        sections=sections(results, summary),
        charts=charts_of(summary),
        folder=pictures,
        machine=machine(results),
        notes=warnings(results, summary),
    )


def write(results: Results, summary: Summary, readme: Path, plot: Path) -> None:
    """Replace the section between the markers ``BEGIN`` and ``END`` in ``readme``, and write the plot to ``plot``.

    Raises ``ResultError`` if ``readme`` lacks a marker. Also raises the same exceptions as ``ladder_table``.
    """
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
    """Write the page of all results, and its plots into the folder of the same name beside the page.

    SVG files that are already in that folder are deleted.
    """
    folder = page.with_suffix("")
    text = results_page(results, summary, folder.name)
    for old in folder.glob("*.svg"):
        old.unlink()
    for key, chart in charts_of(summary).items():
        write_text(folder / f"{key}.svg", chart.svg())
    write_text(page, text)
