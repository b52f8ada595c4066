"""Write docs/measure/overload.md and its chart from the result file."""

from __future__ import annotations

from typing import Any

from loadtests.report.canvas import Chart, line, rect, text
from loadtests.report.charts import ticks
from loadtests.report.format import Table, markdown, number

KEPT, OWN = "kept", "new"
WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 720, 190, 110, 76, 22, 12
KINDS = (("answered", "own"), ("refused with 503", "step"), ("lost or other", "other"))


def report(results: dict[str, Any]) -> str:
    """Return the page in Markdown."""
    values = {**results, **results["environment"]}
    return "\n".join(
        [
            _HEAD.format(**values),
            markdown(_closed(results["closed"])),
            _OPEN.format(**values),
            f"![{chart(results).description}](overload.svg)\n",
            markdown(_outcomes(results["open"])),
            _WAITS,
            markdown(_waits(results["open"])),
            _WHY,
        ]
    )


def _closed(outcomes: list[dict[str, Any]]) -> Table:
    rows = [
        [
            f"{outcome['clients']}", f"{outcome['rate']:,.0f}", f"{outcome['answers'].get('200', 0):,}",
            f"{_others(outcome, '200'):,}", number(outcome["median"]), number(outcome["slowest"]),
            number(outcome["slowest"] / outcome["median"], 2),
        ]
        for outcome in outcomes
    ]  # fmt: skip
    titles = ["clients", "requests/s", "200", "lost or other", "median, ms", "slowest, ms", "slowest ÷ median"]
    return Table("", titles, rows)


def _outcomes(outcomes: list[dict[str, Any]]) -> Table:
    """Return the table of the outcomes of the requests of each open loop."""
    rows = []
    for outcome in outcomes:
        total = sum(outcome["answers"].values())
        waits = sorted(map(int, outcome["retry_after"]))
        rows.append(
            [
                f"{outcome['times']:g}", outcome["connections"], f"{outcome['rate']:,.0f}",
                f"{100 * outcome['answers'].get('503', 0) / total:.1f} %", f"{_others(outcome, '200', '503'):,}",
                f"{waits[0]} to {waits[-1]}" if waits else "-",
            ]
        )  # fmt: skip
    titles = ["times the capacity", "connections", "requests/s", "refused (503)", "lost or other", "Retry-After, s"]
    return Table("", titles, rows)


def _waits(outcomes: list[dict[str, Any]]) -> Table:
    """Return the table of how long the responses of each open loop took."""
    rows = [
        [
            f"{outcome['times']:g}", outcome["connections"],
            number(outcome["accepted"].get("p50", 0.0)), number(outcome["slowest"]),
            number(outcome["health"]["p50"]), number(outcome["slowest_health"]),
            number(outcome["client_lag"].get("p50", 0.0)),
        ]
        for outcome in outcomes
    ]  # fmt: skip
    titles = [
        "times the capacity", "connections", "200: median", "200: slowest", "/healthz: median", "/healthz: slowest",
        "client's delay",
    ]  # fmt: skip
    return Table("", titles, rows)


def chart(results: dict[str, Any]) -> Chart:
    """Return a bar chart: for each rate, the requests a second that were answered, refused, and neither."""
    outcomes = [_shares(outcome) for outcome in results["open"]]
    scale = (WIDTH - LEFT - RIGHT) / max(sum(shares) for _, shares in outcomes)
    height = TOP + len(outcomes) * (BAR + GAP) + 26
    shapes: list[str] = [
        text(0, 18, "Answered and refused requests a second, at multiples of the capacity", size=14, bold=True),
        *_legend(),
    ]
    for value in ticks((WIDTH - LEFT - RIGHT) / scale, 6):
        x = LEFT + value * scale
        shapes += [line(x, TOP - 8, x, height - 24, "grid"), text(x, TOP - 12, f"{value:g}", "soft", "middle", 12)]
    for place, (name, shares) in enumerate(outcomes):
        y, x = TOP + place * (BAR + GAP), float(LEFT)
        shapes.append(text(LEFT - 10, y + BAR / 2 + 4, name, anchor="end"))
        for share, (_, colour) in zip(shares, KINDS, strict=True):
            shapes += [rect(x, y, share * scale, BAR, colour)] if share else []
            x += share * scale
        shapes.append(text(x + 8, y + BAR / 2 + 4, f"{shares[0] / sum(shares):.0%} answered"))
    said = "; ".join(f"{name}: {number(shares[0])} answered, {number(shares[1])} refused" for name, shares in outcomes)
    return Chart(WIDTH, height, shapes, f"Answered and refused requests a second, at multiples of the capacity. {said}")


def _legend() -> list[str]:
    shapes: list[str] = []
    for place, (name, colour) in enumerate(KINDS):
        shapes += [rect(170 * place, 30, 14, 14, colour), text(170 * place + 20, 42, name, size=12)]
    return shapes


def _shares(outcome: dict[str, Any]) -> tuple[str, list[float]]:
    """Return the name of an open loop's rate, and the requests a second that were answered, refused, and neither."""
    answers = outcome["answers"]
    counts = [answers.get("200", 0), answers.get("503", 0), _others(outcome, "200", "503")]
    per_second = outcome["rate"] / sum(counts)
    connections = ", new connections" if outcome["connections"] == OWN else ""
    return f"{outcome['times']:g} times{connections}", [count * per_second for count in counts]


def _others(outcome: dict[str, Any], *expected: str) -> int:
    """Return how many requests were lost or got another status than the expected ones."""
    others = sum(count for status, count in outcome["answers"].items() if status not in expected)
    return others + sum(outcome["lost"].values())


_HEAD = """# Overload

This page shows what the server does when it gets more requests than it can handle. It is made by
`python -m tests.pressure.overload --seconds {seconds:g} --out docs/measure/overload.json`, with the default settings of
`wsgi-core serve --framework {framework}`, on {cpu} with {usable_threads} usable threads, {system}. The client runs on
the same machine and uses part of its CPU time.

## Many clients that wait for their responses

Each client requests one prediction, and sends the next request when it has the response. The server does not refuse a
request while the requests before it need less than `max_wait`, {max_wait:g} seconds.
"""

_OPEN = """
## More requests than the server can handle

Each request is for {rows} predictions. The client sends requests at a fixed rate, a multiple of the server's capacity
({capacity:,.0f} requests a second), and does not wait for the responses. `/healthz` is also requested, ten times a
second, each time on a new connection.
"""

_WAITS = """
The next table has the response times in ms. The last column is how late the client sent its requests, in the median. If
this delay is more than a few ms, other programs used the CPU: then the counts are still valid, but the times are not.
"""

_WHY = """
## How the server stays responsive

CPython releases the GIL around every socket call. The thread gets the GIL back only when a computing thread releases
it. So a server under load can read and refuse few requests while its worker threads compute: the system's queue of new
connections fills, and clients, including health checks, wait for seconds. In this server the I/O thread

- keeps the GIL in socket calls that cannot block (`wsgi_core/serving/nonblocking.py`),
- registers each connection's events with the system only when they change (`poller.py`),
- keeps the bodies of queued requests in memory, because each operation on a temporary file releases the GIL,
- discards the body of a request that it refuses (`body_buffer.py`), and
- accepts more connections than the limit while it closes other connections (`listener.py`), so that a health check can
  connect.

[The life of a connection](../develop/server.md) describes the whole design.
"""
