"""Everything that is made of a result file: the page, the plots, the summary on the terminal."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from rich.console import Console

from loadtests import curve, validate
from loadtests.instrument.results import ResultError, Results, read
from loadtests.report import analysis, charts, page, terminal

# Both are needed for PNGs: one draws, the other brings the font.
DRAWING = ("PIL", "matplotlib")


def write(console: Console, path: Path) -> None:
    """Print what the result file says, and write page and plots beside it; raises ``ResultError``."""
    results = read(path)
    summary = analysis.summarise(results)
    proof = _proof(path.with_name("validation.json"))
    terminal.show(console, results, summary)
    target = path.with_name("index.html")
    target.write_text(page.render(results, summary, proof), encoding="utf-8")
    folder = path.with_name("plots")
    kinds = write_plots(results, summary, folder)
    console.print(f"\n{results.seconds:.0f} s. Written: {path}, {target}", markup=False)
    if kinds:
        console.print(f"Plots: {folder} ({', '.join(kinds)})", markup=False)


def _proof(path: Path) -> validate.Validation | None:
    try:
        return validate.read(path)
    except ResultError:
        return None


def write_plots(results: Results, summary: analysis.Summary, folder: Path) -> list[str]:
    """Each plot as SVG and, where the packages for it are installed, as PNG; returns the kinds written."""
    drawn = charts.charts_of(summary, curve.summarise(results))
    if not drawn:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    pngs = all(importlib.util.find_spec(name) for name in DRAWING)
    for key, chart in drawn.items():
        (folder / f"{key}.svg").write_text(chart.svg(), encoding="utf-8")
        if pngs:
            (folder / f"{key}.png").write_bytes(chart.png())
    return ["SVG", "PNG"] if pngs else ["SVG"]
