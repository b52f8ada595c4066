"""Render ``docs/measure/served.md`` from the results of the study "served".

The page shows the CPU time of each part of a request behind a server, and compares servers.
"""

from __future__ import annotations

from itertools import pairwise

from loadtests.instrument.results import ResultError, Results
from loadtests.instrument.stats import Estimate
from loadtests.report import format as pages
from loadtests.report import tables
from loadtests.report.analysis import Summary, summarise
from loadtests.report.charts import load_bars
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, machine, with_interval
from loadtests.report.loads import LoadSummary
from loadtests.studies import BARE, FLASK, FLOOR, NULL_APP, ON_DEMAND, OWN, SERVED_PARTS

PICTURE = "served.svg"
"""The plot of the page, in the same folder."""
# The parts of a request behind a server, and what a user can change to make each part cheaper.
PARTS = {
    "the server": "another server",
    "JSON and the model": "a smaller model; binary tensors instead of JSON",
    "the framework": "another framework",
    "the service's hooks and checks": "fewer hooks",
    "the whole request": "",
}


def parts_table(load: LoadSummary) -> Table:
    """Return the table of what each part of a request to the service costs, on both frameworks."""
    heads = ["server CPU time of a request", "wsgi_core, µs", "share", "Flask, µs", "share", "what you can change"]
    own, flask = (_parts(load, framework) for framework in (OWN, FLASK))
    rows = [
        [part, with_interval(one), _share(one, own[-1]), with_interval(other), _share(other, flask[-1]), change]
        for (part, change), one, other in zip(PARTS.items(), own, flask, strict=True)
    ]
    note = f"{load.pairs} repetitions, each with new server processes. The shares are those of the mean values."
    return Table("What each part costs", heads, rows, note)


def _parts(load: LoadSummary, framework: str) -> list[Estimate]:
    """Return the CPU time of each of ``PARTS``, and last the CPU time of the whole request.

    Each measured service has one part more than the service before it. The cost of a part is the difference of the two
    services' CPU times.
    """
    cpu = {service.name: service.server_cpu_us for service in load.services}
    chain = (NULL_APP, FLOOR, BARE + framework, framework)
    steps = [load.cpu_differences[one, before] for before, one in pairwise(chain)]
    return [cpu[NULL_APP], *steps, cpu[framework]]


def _share(part: Estimate, whole: Estimate) -> str:
    return f"{part.value / whole.value:.0%}"


def render(results: Results) -> str:
    """Return the page. Raises ``ResultError`` if the parts of a request were not measured."""
    summary = summarise(results)
    parts, findings = _parts_of(summary), findings_of(results, summary)
    made = {one.result.key: tables.load_table(one) for one in summary.loads}
    beside = [tables.load_table(one) for one in summary.loads if one.result.server in ON_DEMAND]
    return pages.render(
        "served.md", findings=findings.lines, machine=machine(results), notes=tables.warnings(results, summary),
        parts=parts_table(parts), chart=load_bars(parts).description, picture=PICTURE,
        servers=[made[key] for key in ("served_null", "served_service") if key in made],
        frameworks=[made[key] for key in ("served_peers",) if key in made],
        in_process=[tables.experiment_table(one) for one in summary.experiments if one.ladder], model_servers=beside,
        goals=tables.goal_table(summary.goals) if summary.goals and not findings.machine.unusable else None,
    )  # fmt: skip


def pictures(results: Results) -> dict[str, str]:
    """Return the plot of the page as SVG, by the name of its file."""
    return {PICTURE: load_bars(_parts_of(summarise(results))).svg()}


def _parts_of(summary: Summary) -> LoadSummary:
    found = next((one for one in summary.loads if one.result.key == SERVED_PARTS.key), None)
    if found is None:
        raise ResultError(
            "the results have no parts behind a server; make them with: wsgi-core overhead --study served"
        )
    return found
