"""What tutorials say a request costs, and what was measured beside it: the tables of "When does it matter?"."""

from __future__ import annotations

from collections.abc import Iterable

from loadtests.curve import FRAME, READ_784, READ_LARGE, WRITE_LARGE, Curve, Point
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import LatencySummary, Summary
from loadtests.report.answer import crossings, duration_us
from loadtests.report.tables import Table, number

CLAIMS = {
    "trees": "Gradient-boosted trees: 1 to 3 ms",
    "pipeline": "A small scikit-learn pipeline: 3 to 10 ms",
    "transformer": "A transformer: tens to hundreds of ms",
    "flask": "Flask: under 5 ms",
    "p99": "99 % of the requests: within 5 to 30 ms",
}
TUTORIAL = "Flask as tutorials have it"


def share_table(curve: Curve) -> Table:
    """Each model: its time, what the frameworks add, and their share of the whole request."""
    heads = ["model", "alone, µs", "Flask adds, µs", "Flask's share", "wsgi_core adds, µs", "wsgi_core's share"]
    rows = [
        [point.model, number(point.time.value), *_pair(point, "Flask"), *_pair(point, "wsgi_core")]
        for point in curve.points
    ]
    note = (
        "CPU time in process, without a server: a server makes every share smaller, and no framework cheaper. Below:"
        " the framework is lost in the model's own scatter, and only a limit can be given."
    )
    return Table("Model by model", heads, rows, note)


def _pair(point: Point, framework: str) -> list[str]:
    price, share = point.prices[framework], point.shares[framework]
    if price.low <= 0:
        return [f"below {number(price.high)}", f"below {share.high:.1%}"]
    return [number(price.value), f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"]


def crossing_table(curve: Curve) -> Table:
    """At which time of the model the framework is half, a tenth, a hundredth of the request."""
    rows = [[line.framework, *crossings(line)] for line in curve.lines]
    note = "The time of the model from which on the framework's share is smaller, in process; with its 95 % interval."
    return Table("Where the share of the framework passes", ["", "50 %", "10 %", "1 %"], rows, note)


def claim_table(summary: Summary, curve: Curve) -> Table:
    """The tutorials' sentences, and what was found here."""
    rows = [[CLAIMS[key], found] for key, found in _found(summary, curve) if found]
    return Table(
        "What tutorials say",
        ["the tutorials", "measured here"],
        rows,
        "Times of one row; ms are of CPU time but for latencies.",
    )


def _found(summary: Summary, curve: Curve) -> Iterable[tuple[str, str]]:
    times = {point.model: point.time for point in curve.points}
    tutorial = _tutorial(summary)
    through = f"; as a tutorial has it, through scikit-learn and a DataFrame: {tutorial}" if tutorial else ""
    yield "trees", _time("churn, 100 trees in onnxruntime", times.get("churn")) + (through if "churn" in times else "")
    yield "pipeline", _time("loan, scaler and regression in onnxruntime", times.get("loan"))
    yield "transformer", _time("MiniLM, a sentence", times.get("minilm"))
    flask = curve.line("Flask").price
    yield (
        "flask",
        f"{duration_us(flask.value)} more than a bare callable ({number(flask.low)} to {number(flask.high)} µs)",
    )
    yield "p99", _p99(summary.latencies)


def _time(name: str, value: Estimate | None) -> str:
    return f"{name}: {duration_us(value.value)}" if value else ""


def _tutorial(summary: Summary) -> str:
    one = summary.experiment("tutorial")
    return f"{duration_us(one.costs[-1].cost.value)} for the whole request" if one else ""


def _p99(latencies: list[LatencySummary]) -> str:
    found = [one for one in latencies if one.generator == "open loop" and "p99" in one.latencies_ms]
    return "; ".join(
        f"{one.service} at {number(one.asked)} requests a second: {number(one.latencies_ms['p99'].value)} ms"
        for one in found
    )


def cost_table(summary: Summary, curve: Curve) -> Table:
    """What costs more than any framework here."""
    rows = [[name, f"{number(value.value)}", f"{value.value / price:.1f}"]
            for name, value in _costs(summary, curve)
            for price in [curve.line("Flask").price.value]]  # fmt: skip
    note = "µs of CPU time; the last column in prices of Flask over the bare callable."
    return Table("What really costs", ["", "µs", "in prices of Flask"], rows, note)


def _costs(summary: Summary, curve: Curve) -> Iterable[tuple[str, Estimate]]:
    yield "Flask, over the bare callable", curve.line("Flask").price
    for name in (FRAME, READ_784, READ_LARGE, WRITE_LARGE):
        if name in curve.pieces:
            yield name, curve.pieces[name]
    tutorial = summary.experiment("tutorial")
    for cost in tutorial.costs[1:] if tutorial else []:
        if cost.step and cost.step.low > 0:
            yield f"{cost.name}: the step to it", cost.step
    for load in summary.loads:
        for service in load.services:
            if load.mode == "rate" and service.name == "wsgi_core":
                yield f"the whole request with churn, served by {load.server}, wsgi_core", service.server_cpu_us
