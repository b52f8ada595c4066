"""The page ``docs/where-the-time-goes.md``, out of a result file of the study "core".

The words here say what happens in each phase; every figure comes out of the results.
"""

from __future__ import annotations

from loadtests.instrument.results import ResultError, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report.analysis import ExperimentSummary, Summary, import_ratio, matrices, ratio
from loadtests.report.phases import MADE_OF
from loadtests.report.readme import machine, markdown
from loadtests.report.tables import Table, goal_table, interval, number, warnings
from loadtests.studies import LIBRARY

HEADS = ["phase", "Flask, µs", "wsgi_core, µs", "what Flask does there that costs", "what the core does instead"]

INTRODUCTION = """# Where the time goes

One request, a POST of five floats to a model that does no work, with one before, one after and one teardown function
and 12 other routes: the same view, the same hooks, the same bytes on Flask and on the core. This page is written by
`wsgi-core overhead where RESULTS`; no figure in it is typed."""

METHOD = """## How it was measured

Both applications have the same methods, so one driver cuts a request off after each phase: it calls
`request_context(environ)`, then pushes and pops the contexts around more and more of `preprocess_request`,
`dispatch_request`, `make_response`, `process_response`, and the response as a WSGI application with its body consumed
and `close()` called. A phase costs what its prefix costs more than the one before, in the same rounds of the same
processes; in parentheses the 95 % interval of that difference. The last phase is what the application itself, called
as a server calls it, costs more than the longest prefix. What a phase leaves to a later one is paid there, and the
driver's own comparisons between the phases are paid by the phases, on both sides alike: where nearly nothing is left
for a phase, its figure may lie below 0.

Every cost on this page is the one above an empty application that only calls `start_response`: that one is measured
in each round too, and taken off every contender before a ratio is made. The goals are held against such ratios."""


class NoPhasesError(ResultError):
    """The result file holds no phases."""


def render(results: Results, summary: Summary) -> str:
    """The page; raises ``NoPhasesError`` for the results of another study, or of one that ended early."""
    if not summary.phases:
        raise NoPhasesError("no phases were measured there: they are part of wsgi-core overhead --study core")
    parts = [INTRODUCTION, machine(results), *(f"Note: {one}." for one in warnings(results, summary))]
    parts += [markdown(_phase_table(summary), words=(0, 3, 4)), METHOD, *_environ(summary)]
    if summary.goals:
        goals = goal_table(summary.goals)
        parts += ["## The goals", markdown(goals, words=(0, 4)), goals.note[0].upper() + goals.note[1:]]
    shared = [*_libraries(results), *_imports(results)]
    if shared:
        parts += ["## Work that both sides share", "\n".join(shared)]
    return "\n\n".join(parts) + "\n"


def _phase_table(summary: Summary) -> Table:
    rows = []
    for phase in summary.phases:
        words = MADE_OF.get(phase.name, ("", ""))
        rows.append([phase.name, _with_interval(phase.flask), _with_interval(phase.core), *words])
    return Table("", HEADS, rows)


def _with_interval(value: Estimate) -> str:
    return f"{number(value.value)} ({interval(value)})"


def _environ(summary: Summary) -> list[str]:
    """Say which environ all contenders get, and what the other kind would change."""
    said = (
        "All contenders get the same environ: what waitress makes of the request's bytes. It sets"
        " `wsgi.input_terminated`, as gunicorn does; without it (wsgiref's server, Werkzeug's own) Werkzeug wraps the"
        " stream of the body into one that ends where the body does."
    )
    terminated, plain = _to_flask(summary, "peers"), _to_flask(summary, "not_terminated")
    if plain and terminated:
        said += (
            f" With it the core costs {_with_interval(terminated)} of what Flask costs, without hooks; without it"
            f" {_with_interval(plain)}."
        )
    return [said]


def _to_flask(summary: Summary, key: str) -> Estimate | None:
    found: ExperimentSummary | None = summary.experiment(key)
    return found.cost("wsgi_core").to_reference if found else None


def _libraries(results: Results) -> list[str]:
    """For each case with a library of its own: how much of both requests is that library's work."""
    words = {
        "body_64k": "A JSON body of 64 KB is parsed by the same `json` on both sides. The library alone, in an"
        " application written by hand",
        "session": "A session is checked, read and signed by the same `itsdangerous` and `hmac` on both sides. They"
        " alone, in an application written by hand that gives `hmac` the digest by which it works fastest",
    }
    said = []
    for one in results.experiments:
        if one.key in words and one.processes:
            library, core, flask = (one.contenders.index(name) + 1 for name in (LIBRARY, "wsgi_core", "Flask"))
            of_core, of_flask = estimate(matrices(one), [ratio(library, core), ratio(library, flask)])
            shares = f"{_share(of_core)} of what the core's request costs, {_share(of_flask)} of what Flask's does"
            said.append(f"- {words[one.key]}, cost {shares}.")
    return said


def _imports(results: Results) -> list[str]:
    if not results.imports:
        return []
    wall, memory = (import_ratio(results.imports, "werkzeug", "wsgi_core", what) for what in ("wall_ms", "memory_kb"))
    return [
        "- An import of any part of Werkzeug runs its package's own `__init__`, which imports `werkzeug.serving` and"
        f" `werkzeug.test`: `import werkzeug` alone takes {_share(wall)} of the time and {_share(memory)} of the memory"
        " that `import wsgi_core` takes."
    ]


def _share(value: Estimate) -> str:
    return f"{value.value:.0%} ({value.low:.0%} to {value.high:.0%})" if value.high < 1e300 else f"{value.value:.0%}"
