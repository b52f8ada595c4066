"""What became of four times the requests that a server can answer, as a page, out of the result file."""

from __future__ import annotations

from typing import Any

from loadtests.report.format import Table, markdown, number

KEPT, OWN = "kept", "own"
_TITLES = {KEPT: "connections are kept", OWN: "each request makes its own"}


def report(results: dict[str, Any]) -> str:
    """The page in Markdown: a column for each way to connect."""
    columns = [_column(outcome) for outcome in results["outcomes"].values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    table = Table("", ["", *(_TITLES[kind] for kind in results["outcomes"])], rows)
    return "\n".join([_HEAD.format(**{**results, **results["environment"]}), markdown(table), _WHY])


def _column(outcome: dict[str, Any]) -> dict[str, str]:
    accepted, at_capacity = outcome["accepted"]["p99"], outcome["p99_at_capacity"]
    return {
        "what it can do, requests a second": f"{outcome['capacity']:,.0f}",
        "what is asked for, requests a second": f"{outcome['rate']:,.0f}",
        "answered with 200": f"{outcome['answers'].get('200', 0):,}",
        "refused with 503": f"{outcome['answers'].get('503', 0):,}",
        "lost": f"{sum(outcome['lost'].values()):,}",
        "p99 at what it can do, ms": number(at_capacity),
        "p99 of the 200, ms": number(accepted),
        "their ratio": number(accepted / at_capacity, 2),
        "p99 of the 503, ms": number(outcome["refused"]["p99"]),
        "health, median, ms": number(outcome["health"]["p50"]),
        "health, the slowest of all, ms": number(outcome["slowest_health"]),
    }


_HEAD = """# More than it can do

First {threads} + {waiting} clients ask again and again, as many as find a place: that is what the server can do. Then
for {seconds:g} s requests come at four times that rate, whether or not those before are answered. Each asks for {rows}
predictions in JSON, on {framework}; the client runs on the same machine, and takes its part of it. Health is asked ten
times a second, each time on a new connection. A 503 comes with `Retry-After`; lost would be a connection that was
reset, or ended without an answer.

Made by `python -m tests.pressure.overload --connections both --out docs/measure/overload.json`, measured on {cpu} with
{usable_threads} usable threads, {system}.
"""

_WHY = """
## Why a Python server loses connections under pressure, and what is done about it

One thread reads what all clients send, and refuses what has no place. Around each of its calls to the system Python
gives up the interpreter, also where the call returns at once, and gets it back only when a thread that computes lets
go. So it refuses few while others work: the system's queue of new connections fills, then clients wait for seconds,
health among them, and some are reset. Here that thread

- gives up the interpreter only to wait (`wsgi_core/serving/nonblocking.py`),
- asks none of the others what they wait for (`poller.py`), so that a crowd costs no more for being one,
- throws away a body that has no place as it comes (`bodies.py`), and
- lets a few more in than there should be while others go (`listener.py`), so that a probe never stands outside.
"""
