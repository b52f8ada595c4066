"""Write ``docs/where-the-time-goes.md`` from the results of the study "core".

``templates/where.md`` says what each phase of a request does. All figures come from the results.
"""

from __future__ import annotations

from loadtests.instrument.results import ResultError, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report import format as pages
from loadtests.report.analysis import ExperimentSummary, Summary, import_ratio, summarise
from loadtests.report.canvas import Chart
from loadtests.report.charts import Bar, bar_chart
from loadtests.report.figures import matrices, ratio
from loadtests.report.format import machine
from loadtests.report.noise import judge
from loadtests.report.tables import goal_table, phase_table, warnings
from loadtests.rungs.phases import PHASES
from loadtests.studies import LIBRARY

PICTURE = "where-the-time-goes.svg"
"""The plot of the page, in the same folder."""


def render(results: Results) -> str:
    """Return the page. Raises ``ResultError`` if the results have no phases of a request."""
    summary = summarise(results)
    if not summary.phases:
        raise ResultError("the results have no phases; measure them with: wsgi-core overhead --study core")
    return pages.render(
        "where.md",
        machine=machine(results),
        noise=judge(results, summary).sentence,
        notes=warnings(results, summary),
        chart=chart(summary).description,
        picture=PICTURE,
        phases=phase_table(summary.phases),
        names=PHASES,
        whole=summary.phases[-1],
        terminated=_to_flask(summary, "peers"),
        plain=_to_flask(summary, "not_terminated"),
        goals=goal_table(summary.goals) if summary.goals else None,
        libraries=_libraries(results),
        imports=_imports(results),
    )


def pictures(results: Results) -> dict[str, str]:
    """Return the plot of the page as SVG, by the name of its file."""
    return {PICTURE: chart(summarise(results)).svg()}


def chart(summary: Summary) -> Chart:
    """Return a chart with two bars for each phase, Flask's above wsgi_core's."""
    bars = []
    for phase in summary.phases[:-1]:
        bars += [Bar(f"{phase.name}: Flask", phase.flask, "other"), Bar("wsgi_core", phase.core, "own")]
    return bar_chart("Where the time of a request goes", "µs of CPU time in each phase, 95 % interval", bars)


def _to_flask(summary: Summary, key: str) -> Estimate | None:
    found: ExperimentSummary | None = summary.experiment(key)
    return found.cost("wsgi_core").to_reference if found else None


def _libraries(results: Results) -> dict[str, list[Estimate]]:
    """Return, by the experiment's key, a library's share in the cost of wsgi_core and in the cost of Flask.

    Only experiments that also measure the library alone are included.
    """
    return {
        one.key: estimate(
            matrices(one), [ratio(one.column(LIBRARY), one.column(name)) for name in ("wsgi_core", "Flask")]
        )
        for one in results.experiments
        if LIBRARY in one.contenders and one.processes
    }


def _imports(results: Results) -> list[Estimate]:
    """Return Werkzeug's share of the import of wsgi_core: the share of the time, and the share of the memory.

    If the study did not measure imports, return an empty list.
    """
    parts = ("wall_ms", "memory_kb") if results.imports else ()
    return [import_ratio(results.imports, "werkzeug", "wsgi_core", part) for part in parts]
