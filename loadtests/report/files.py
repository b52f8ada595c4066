"""Write the report of a result file: the page, the plots, and the tables on the terminal."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from loadtests import validate
from loadtests.instrument.results import ResultError, Results
from loadtests.report import analysis, charts, page, terminal
from loadtests.report.format import write_text


def write(console: Console, path: Path) -> None:
    """Print the tables of a result file, and write its page ``index.html`` and its folder ``plots`` beside the file.

    Raises ``ResultError`` if the file cannot be read or is not valid.
    """
    results = Results.read(path)
    summary = analysis.summarise(results)
    validation = _validation(path.with_name("validation.json"))
    terminal.show(console, results, summary)
    target = path.with_name("index.html")
    write_text(target, page.page(results, summary, validation))
    folder = path.with_name("plots")
    console.print(f"\n{results.seconds:.0f} s. Written: {path}, {target}", markup=False)
    if write_plots(summary, folder):
        console.print(f"Plots: {folder}", markup=False)


def _validation(path: Path) -> validate.Validation | None:
    try:
        return validate.Validation.read(path)
    except ResultError:
        return None


def write_plots(summary: analysis.Summary, folder: Path) -> bool:
    """Write each plot as an SVG file into ``folder``. Return whether there are any plots."""
    drawn = charts.charts_of(summary)
    for key, chart in drawn.items():
        name = re.sub(r"[^\w.-]+", "-", key)
        write_text(folder / f"{name}.svg", chart.svg())
    return bool(drawn)
