"""The page of the study, out of its result file: tables, and in words who answers sooner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from loadtests.instrument.stats import Estimate, FloatArray, estimate
from loadtests.report.readme import markdown
from loadtests.report.tables import BUSY_PERCENT, Table, interval, number
from loadtests.servers.contenders import OURS, ROW, SERVERS, TENSOR, Server, by_key
from loadtests.servers.study import name_of

Windows = dict[str, Any]
Value = Callable[[Windows], float]
PERCENTILES = ("p50", "p95", "p99")
FORMS = {
    ROW: "A row as an object of JSON, `POST /predict`",
    TENSOR: "A row as a tensor, by the Open Inference Protocol",
}

_VERSIONS = "The servers"


def report(results: dict[str, Any]) -> str:
    """The page in Markdown."""
    parts = [_HEAD.format(**{**results, **results["environment"]}), *(f"- {said}" for said in sentences(results))]
    for table in tables(results):
        words = (0, 1) if table.title == _VERSIONS else (0,)
        parts.append(f"\n## {table.title}\n\n{markdown(table, words)}")
    return "\n".join([*parts, _SETTINGS])


def tables(results: dict[str, Any]) -> list[Table]:
    """For each form both loops; then the servers themselves."""
    found = [
        table(results, form)
        for form in FORMS
        if len(measured(results, form)) > 1
        for table in (closed_table, open_table)
    ]
    return [*found, server_table(results)]


def measured(results: dict[str, Any], form: str) -> list[Server]:
    """The servers that were asked in a form."""
    return [server for server in SERVERS if server.key in results["servers"] and form in server.forms]


def closed_table(results: dict[str, Any], form: str) -> Table:
    """One connection that asks again as soon as it has its answer."""
    columns = [_latency("closed", percentile) for percentile in PERCENTILES]
    heads = ["", *(f"{percentile}, ms" for percentile in PERCENTILES), "p50, times ours", "server's CPU, µs a request"]
    rows = _rows(results, form, [*columns, _cpu_us])
    return Table(f"{FORMS[form]}: one connection", heads, [[*row[:4], row[-1], row[4]] for row in rows])


def open_table(results: dict[str, Any], form: str) -> Table:
    """Requests that come when they come."""
    columns = [_latency("open", percentile) for percentile in PERCENTILES]
    heads = ["", *(f"{percentile}, ms" for percentile in PERCENTILES), "p50, times ours"]
    return Table(
        f"{FORMS[form]}: {results['rate']:g} requests a second, come what may", heads, _rows(results, form, columns)
    )


def server_table(results: dict[str, Any]) -> Table:
    """Which versions ran, and what it costs to have them stand by."""
    heads = ["", "versions", "idle, % of a core"]
    rows = []
    for key, versions in results["servers"].items():
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        idle = float(np.mean([each[key] for each in results["idle"]]))
        rows.append([by_key(key).title, named, f"{100 * idle:.1f}"])
    return Table(_VERSIONS, heads, rows)


def _rows(results: dict[str, Any], form: str, columns: list[Value]) -> list[list[str]]:
    """A row for each server: its values, and last how many times ours its first value is."""
    servers = measured(results, form)
    values = [_estimates(results, form, column) for column in columns]
    shares = ratios(results, form, columns[0])
    return [
        [
            server.title,
            *(_cell(each[place]) for each in values),
            _cell(shares[server.key]) if server.key != OURS else "1",
        ]
        for place, server in enumerate(servers)
    ]


def _cell(value: Estimate) -> str:
    return f"{number(value.value)} ({interval(value)})"


def _estimates(results: dict[str, Any], form: str, value: Value) -> list[Estimate]:
    figures = [_column(place) for place, _ in enumerate(measured(results, form))]
    return estimate(_costs(results, form, value), figures)


def ratios(results: dict[str, Any], form: str, value: Value) -> dict[str, Estimate]:
    """By server, how many times ours its value is, paired by rounds."""
    servers = measured(results, form)
    ours = [server.key for server in servers].index(OURS)
    figures = [_share(place, ours) for place, _ in enumerate(servers)]
    found = estimate(_costs(results, form, value), figures)
    return {server.key: each for server, each in zip(servers, found, strict=True)}


def _costs(results: dict[str, Any], form: str, value: Value) -> list[FloatArray]:
    """For each start (rounds, servers)."""
    names = [name_of(server, form) for server in measured(results, form)]
    return [np.array([[value(windows[name]) for name in names] for windows in rounds]) for rounds in results["windows"]]


def _column(place: int) -> Callable[[FloatArray], FloatArray]:
    return lambda cost: cost[..., place]


def _share(place: int, ours: int) -> Callable[[FloatArray], FloatArray]:
    return lambda cost: cost[..., place] / cost[..., ours]


def _latency(loop: str, percentile: str) -> Value:
    return lambda windows: float(windows[loop]["latencies_ms"][percentile])


def _cpu_us(windows: Windows) -> float:
    closed = windows["closed"]
    return float(closed["server_cpu_seconds"] / closed["requests"] * 1e6)


def beside_ours(results: dict[str, Any]) -> dict[str, Estimate]:
    """For each of the others the p50 of its closed loop, in its form, over ours in that form."""
    found: dict[str, Estimate] = {}
    for form in FORMS:
        if len(measured(results, form)) > 1:
            shares = ratios(results, form, _latency("closed", "p50"))
            found |= {server.key: shares[server.key] for server in measured(results, form) if server.requires}
    return found


def is_sooner(results: dict[str, Any]) -> bool:
    """Whether our p50 is below that of each of the others, by the whole interval."""
    return all(share.low > 1 for share in beside_ours(results).values())


def sentences(results: dict[str, Any]) -> list[str]:
    """What was found, what was left out, and whether the machine had other things to do."""
    said = [_claim(by_key(key).title, share) for key, share in beside_ours(results).items()]
    said += [f"{by_key(key).title} was left out: {reason}" for key, reason in results["left_out"].items()]
    if (busy := results["environment"]["cpu_percent"]) > BUSY_PERCENT:
        said.append(
            f"Others used the machine: it was {busy:.0f} % busy before the run. Measure again when it is quiet."
        )
    return said


def _claim(title: str, share: Estimate) -> str:
    times = f"{title}'s p50 is {number(share.value)} times ours ({interval(share)})"
    if share.low > 1:
        return f"wsgi_core answers sooner than {title}: {times}."
    if share.high < 1:
        return f"wsgi_core answers later than {title}: {times}."
    return f"Neither can be said to answer sooner, wsgi_core or {title}: {times}."


_HEAD = """# Beside other servers of models

The same ONNX file, the same rows, the same client: what does the server around the model cost? wsgi_core and its twin
on Flask, both on waitress; MLServer, LitServe and BentoML, each written as its own documentation shows
(`loadtests/servers/with_*.py`) and in an environment of its own.

{starts} starts of all servers; in each {rounds} rounds in which every server takes its turn, in an order that is drawn:
{seconds:g} s with one kept connection that asks again as soon as it has its answer, then {seconds:g} s of requests at
random instants, {rate:g} a second, whose time counts from when they were due. Before, the probabilities of all were
found equal. In brackets: the 95 % interval, over starts and rounds.
Rows: {rows}.

Made by `python -m loadtests.servers --report` from the result file beside this page, measured on {cpu} with
{usable_threads} usable threads, {system}.
"""

_SETTINGS = """
## What is the same, and what is not

- One worker, one session of onnxruntime with one thread, the same version of onnxruntime, no log of requests, on
  127.0.0.1, all servers running at the same time; what each takes of the processor while nobody asks is in the
  table above.
- wsgi_core and its twin check the values by the model's card, keep metrics and answer with `Server-Timing`, as they
  always do; the others check what they check by default.
- MLServer, LitServe and BentoML run the model in one process beside the one that was started, as by default;
  "MLServer without a worker" (`parallel_workers` 0) runs it in its server's own, as wsgi_core does.
- It is about small models: the longer the model runs, the less the server around it matters.
"""
