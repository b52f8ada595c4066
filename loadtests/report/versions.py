"""Report what Flask costs on several interpreters or with several versions of a package: a table and its page.

A *variant* is an interpreter with one version of a package.
"""

from __future__ import annotations

import math

from loadtests.instrument.results import ResultError, Results
from loadtests.instrument.stats import Estimate
from loadtests.report import format as pages
from loadtests.report.analysis import ExperimentSummary, Summary, summarise
from loadtests.report.claims import claim, inverse
from loadtests.report.format import Table, machine, number, with_interval
from loadtests.report.noise import judge
from loadtests.studies import FLASK, FLOOR, OWN, VERSIONS


def table(summary: Summary) -> Table:
    """Return the table with a row for each variant: first ratios, then costs."""
    heads = ["", "Flask ÷ wsgi_core", "Flask ÷ bare callable", "Flask, µs", "wsgi_core, µs", "bare callable, µs"]
    rows = [
        [one.title, *(with_interval(inverse(one.cost(name).to_reference)) for name in (OWN, FLOOR)),
         *(number(one.cost(name).cost.value) for name in (FLASK, OWN, FLOOR))]
        for one in summary.experiments
    ]  # fmt: skip
    note = "CPU time in process, with a model that does no work. The processes of the variants alternated."
    return Table("Across versions", heads, rows, note, section="versions")


def sentences(summary: Summary) -> list[str]:
    """Return sentences that compare the cost of each framework on each variant with its cost on the first variant."""
    first, *others = summary.experiments
    return [
        f"{name}: {claim(one.title, first.title, _between(one, first, name), max(one.reach, first.reach))}."
        for one in others
        for name in (FLASK, OWN)
    ]


def _between(one: ExperimentSummary, other: ExperimentSummary, name: str) -> Estimate:
    """Return the cost of ``name`` in ``one`` divided by its cost in ``other``. The two costs must be independent."""
    top, bottom = one.cost(name).cost, other.cost(name).cost
    reach = math.hypot(*(cost.half_width / cost.value for cost in (top, bottom)))
    value = top.value / bottom.value
    return Estimate(value, value * math.exp(-reach), value * math.exp(reach))


def render(results: Results) -> str:
    """Return the page. Raises ``ResultError`` for the results of another study."""
    if results.study != VERSIONS:
        raise ResultError(
            "the results are not of several interpreters or versions; measure them with --python or --with"
        )
    summary = summarise(results)
    noise = judge(results, summary)
    said = [] if noise.unusable else sentences(summary)
    return pages.render("versions.md", table=table(summary), said=said, noise=noise.sentence, machine=machine(results))
