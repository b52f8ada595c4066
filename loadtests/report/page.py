"""The report as one HTML file: no script, nothing loaded from elsewhere, readable in light and dark.

Every section is there only if its samples are: a quick run, an interrupted one or an older file gives a shorter page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from loadtests import curve
from loadtests.instrument.results import Results
from loadtests.report import answer, charts, claims, noise
from loadtests.report.analysis import Summary
from loadtests.report.canvas import Chart
from loadtests.report.tables import Table, of, warnings
from loadtests.report.validation_page import checks
from loadtests.validate import Validation

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #fff; --line: #d8dee4; --box: #f6f8fa;
  --warn: #fff3cd; --own: #1f7a5c; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --line: #30363d; --box: #161b22; --warn: #3a2f0b;
    --own: #3fae86; --good: #3fb950; --bad: #f85149; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin-bottom: .4rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .4rem; }
a { color: inherit; }
nav { font-size: .9rem; color: var(--soft); } nav a { margin-right: .9rem; white-space: nowrap; }
.answer { font-size: 1.2rem; line-height: 1.5; border-left: 4px solid var(--own); padding: .2rem 0 .2rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 8rem; }
.words td { white-space: normal; text-align: left; } .words th { text-align: left; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.note, footer { color: var(--soft); font-size: .88rem; max-width: 46rem; }
.warning { background: var(--warn); padding: .5rem .8rem; border-radius: 4px; margin: .5rem 0; }
.reached td:last-child { color: var(--good); } .missed td:last-child { color: var(--bad); }
svg { width: 100%; height: auto; min-width: 30rem; max-width: 46rem; display: block; margin: 1rem 0; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--soft); }
""".strip()

LADDER_WORDS = (
    "One request, a POST of five numbers to a model that does no work, answered by the same bytes on every rung. Each"
    " rung does what the one above it does and one step more; wsgi_core and Flask do all of it, each in its own way."
    " A bar with a + is the price of a step, and begins where the one above it ends; the others are whole requests."
)
CURVE_WORDS = (
    "Tutorials say that the framework is lost in the noise beside the model. That depends on the model: the faster it"
    " is, the larger the framework's part of the request. A point is a measured model; the line has the framework's"
    " price and everything that is neither framework nor model from the ladder."
)
LATENCY_WORDS = (
    "How long a client waits. In an open loop requests start when they are due, as visitors do, and the wait in front"
    " of a busy server counts. A closed loop, as most load tests have it, sends the next request when the last one was"
    " answered, and so leaves out the waits that would hurt most."
)
HOW = (
    "In process each block of requests is timed with the CPU clock of the process; a request gets a fresh PEP 3333"
    " environ, its body is consumed and close() is called. Every round holds one block of each contender, in random"
    " order and then backwards. Several processes with different hash seeds do so. A contender's cost in a process is"
    " the mean of the middle 60 % of its rounds; the interval is a bootstrap that draws processes first and rounds"
    " second, so that ratios and differences are paired. Before anything is timed all contenders are asked the same,"
    " and their answers are compared byte for byte."
)
NO_PROOF = (
    "No validation was found beside this report. wsgi-core overhead --validate, with the same --out, makes one: an app"
    " against itself, a delay of known length, the sum of the steps."
)
WORDS = ("What tutorials say", "The claims")

Section = tuple[str, str, str]


def render(results: Results, summary: Summary, proof: Validation | None = None) -> str:
    """The whole page; ``proof`` is the validation that was found beside the results."""
    found = curve.summarise(results)
    drawn = charts.charts_of(summary, found)
    first, *others = answer.findings(results, summary, found) or [""]
    sections = [one for one in _sections(results, summary, found, drawn, proof) if one[2]]
    links = " ".join(f'<a href="#{key}">{escape(title)}</a>' for key, title, _ in sections)
    body = "".join(f'<h2 id="{key}">{escape(title)}</h2>\n{text}\n' for key, title, text in sections)
    more = "".join(f"<p>{escape(said)}</p>" for said in others)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(results.title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(results.title)}</h1>\n"
        + (f'<p class="answer">{escape(first)}</p>\n' if first else "")
        + f"{_partial(results)}{more}\n<nav>{links}</nav>\n{body}"
        '<footer><p>All raw samples: <a href="results.json">results.json</a></p></footer>\n</body>\n</html>\n'
    )


def _partial(results: Results) -> str:
    return '<p class="warning">This run was interrupted: what follows is what it had until then.</p>' * results.partial


def _sections(
    results: Results, summary: Summary, found: curve.Curve | None, drawn: dict[str, Chart], proof: Validation | None
) -> list[Section]:
    tables = of(results, summary)
    placed: set[str] = set()

    def taken(*wanted: str) -> str:
        """The tables whose titles begin so, each once."""
        chosen = [table for table in tables if table.title.startswith(wanted) and table.title not in placed]
        placed.update(table.title for table in chosen)
        return "".join(map(_table, chosen))

    titles = {one.key: one.title for one in summary.experiments}
    ladder = taken(titles["null"]) if "null" in titles else ""
    peers = taken(titles["peers"]) if "peers" in titles else ""
    latency = taken(*{one.title + ": latency" for one in summary.latencies}) if summary.latencies else ""
    served = taken(*{one.title for one in summary.loads}) if summary.loads else ""
    rest = taken("")
    shown = {"null-waterfall", "null", "curve", "peers", *(one.key for one in summary.loads)}
    others = {key for key in drawn if key not in shown and not key.endswith("-waterfall")}
    latencies = {key for key in others if any(key.startswith(one.key) for one in summary.latencies)}
    return [
        ("ladder", "What each step costs", _words(ladder, LADDER_WORDS) + _drawn(drawn, ["null-waterfall"]) + ladder),
        ("matter", "When does it matter?", _curve_section(summary, found, drawn)),
        ("peers", "Beside other frameworks", _drawn(drawn, ["peers"] if peers else []) + peers),
        ("served", "Behind a server", _drawn(drawn, [one.key for one in summary.loads if one.mode == "rate"]) + served),
        ("latency", "How long clients wait",
         _words(latency, LATENCY_WORDS) + _drawn(drawn, sorted(latencies)) + latency),
        ("more", "All that was measured beside it" if ladder else "What was measured",
         _drawn(drawn, sorted(others - latencies)) + rest),
        ("noise", "May this be believed?", _noise_section(results, summary) + _proof(proof)),
        ("how", "How it was measured", f"<p>{HOW}</p>"),
        ("machine", "The machine", _machine(results)),
    ]  # fmt: skip


def _words(there: str, words: str) -> str:
    return f"<p>{escape(words)}</p>" if there else ""


def _drawn(drawn: dict[str, Chart], keys: Iterable[str]) -> str:
    return "".join(f'<div class="scroll" tabindex="0">{drawn[key].svg()}</div>' for key in keys if key in drawn)


def _curve_section(summary: Summary, found: curve.Curve | None, drawn: dict[str, Chart]) -> str:
    if found is None or not found.points:
        return ""
    tables = [
        claims.crossing_table(found),
        claims.share_table(found),
        claims.claim_table(summary, found),
        claims.cost_table(summary, found),
    ]
    return f"<p>{CURVE_WORDS}</p>" + _drawn(drawn, ["curve"]) + "".join(_table(table) for table in tables)


def _noise_section(results: Results, summary: Summary) -> str:
    verdict = noise.judge(results, summary)
    mark = "" if verdict.verdict == noise.QUIET else ' class="warning"'
    said = "".join(f'<p class="warning">{escape(one)}</p>' for one in warnings(results, summary))
    return f"<p{mark}>{escape(verdict.sentence)}</p>{said}"


def _proof(proof: Validation | None) -> str:
    if proof is None:
        return f'<h3>The instrument</h3><p class="note">{NO_PROOF}</p>'
    made = checks(proof)
    table = Table(
        "The claims", ["the instrument", "found", ""], [[one.text, one.found, one.verdict] for one in made],
        f"Measured {proof.started[:10]} on {proof.environment.get('cpu', 'a machine')}.", [one.verdict for one in made],
    )  # fmt: skip
    files = " and ".join(f'<a href="{name}">{name}</a>' for name in ("VALIDATION.md", "validation.json"))
    links = f'<p class="note">The whole of it: {files}</p>'
    return f"<h3>The instrument</h3>{_table(table, title=False)}{links}"


def _table(table: Table, title: bool = True) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    marks = table.marks or [""] * len(table.rows)
    rows = "".join(
        f'<tr class="{mark}">' + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row, mark in zip(table.rows, marks, strict=True)
    )
    kind = ' class="words"' if table.title in WORDS else ""
    head = f"<h3>{escape(table.title)}</h3>\n" if title else ""
    note = f'<p class="note">{escape(table.note)}</p>\n' if table.note else ""
    return (
        f'{head}<div class="scroll" tabindex="0"><table{kind}>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n{note}"
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
    return f"<dl>{items}</dl>"
