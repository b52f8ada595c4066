"""The report as one HTML file: no script, nothing loaded from elsewhere, readable in light and dark."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from loadtests.analysis import Summary
from loadtests.charts import Bar, bar_chart
from loadtests.results import Results
from loadtests.tables import Table, of, sentences, warnings

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #656d76; --paper: #fff; --line: #d8dee4; --warn: #fff3cd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #8d96a0; --paper: #0d1117; --line: #30363d; --warn: #3a2f0b; }
}
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 9rem; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.note, footer { color: var(--soft); font-size: .88rem; }
.warning { background: var(--warn); padding: .5rem .8rem; border-radius: 4px; }
.reached td:last-child { color: #1a7f37; } .missed td:last-child { color: #cf222e; }
@media (prefers-color-scheme: dark) {
  .reached td:last-child { color: #3fb950; } .missed td:last-child { color: #f85149; }
}
svg { width: 100%; height: auto; min-width: 26rem; max-width: 46rem; display: block; margin: 1rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
""".strip()

HOW = (
    "In process each block of requests is timed with the CPU clock of the process; a request gets a fresh PEP 3333"
    " environ, its body is consumed and close() is called. Every round holds one block of each contender, in random"
    " order and then backwards. Several processes with different hash seeds do so. A contender's cost in a process is"
    " the mean of the middle 60 % of its rounds; the interval is a bootstrap that draws processes first and rounds"
    " second, so that ratios and differences are paired. Before anything is timed all contenders are asked the same"
    " and must answer the same bytes."
)


def render(results: Results, summary: Summary) -> str:
    """The whole page."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences(results, summary))
    warned = "".join(f'<p class="warning">{escape(warning)}</p>' for warning in warnings(results, summary))
    charts = "".join(f'<div class="scroll" tabindex="0">{chart}</div>' for chart in charts_of(summary).values())
    tables = "".join(_table(table) for table in of(results, summary))
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(results.title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(results.title)}</h1>\n{warned}{said}\n{charts}\n{tables}\n"
        f"<h2>How it was measured</h2><p>{HOW}</p>\n{_machine(results)}\n"
        '<footer><p>All raw samples: <a href="results.json">results.json</a></p></footer>\n</body>\n</html>\n'
    )


def charts_of(summary: Summary) -> dict[str, str]:
    """A plot for each experiment of more than a case and each load, by key."""
    charts = {}
    for one in summary.experiments:
        if len(one.costs) > 3:
            bars = [Bar(cost.name, cost.cost, cost.name.startswith("wsgi_core")) for cost in one.costs]
            charts[one.key] = bar_chart(one.title, f"µs of {_clock(one.clock)} a request, 95 % interval", bars)
    for load in summary.loads:
        bars = [Bar(s.name, s.server_cpu_us, s.name.startswith("wsgi_core")) for s in load.services]
        charts[load.key] = bar_chart(load.title, "µs of server CPU time a request, 95 % interval", bars)
    return charts


def _clock(name: str) -> str:
    return "CPU time" if name == "cpu" else "wall time"


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    marks = table.marks or [""] * len(table.rows)
    rows = "".join(
        f'<tr class="{mark}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row, mark in zip(table.rows, marks, strict=True)
    )
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="scroll" tabindex="0"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f'<tbody>\n{rows}</tbody></table></div>\n<p class="note">{escape(table.note)}</p>\n'
    )


def _machine(results: Results) -> str:
    facts: dict[str, Any] = dict(results.environment)
    versions = facts.pop("versions", {})
    facts["packages"] = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    facts |= {"rows": results.rows, "started": results.started, "seconds": results.seconds, "command": results.command}
    items = "".join(
        f"<dt>{escape(re.sub('_', ' ', name))}</dt><dd>{escape(str(value))}</dd>"
        for name, value in facts.items()
        if value not in ("", None)
    )
    return f"<h2>The machine</h2>\n<dl>{items}</dl>"
