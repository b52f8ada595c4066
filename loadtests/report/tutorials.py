"""Tables of a framework's share of a request, and of parts of a request that can cost more than a framework.

The *curve* is the share of a framework as a function of the time that the model takes (see ``curve.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

from loadtests.curve import FRAME, READ_784, READ_LARGE, WRITE_LARGE, Curve, Point
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import Summary
from loadtests.report.findings import crossings
from loadtests.report.format import Table, cells, number


def measured(summary: Summary, curve: Curve) -> dict[str, float]:
    """Return the figures in µs that ``templates/report.html`` compares with published claims.

    The keys are the names that the template uses. ``onnx`` and ``pipeline`` are missing if they were not measured.
    """
    found = {point.model: point.time.value for point in curve.points} | {"flask": curve.line("Flask").price.value}
    if one := summary.experiment("tutorial"):
        found |= {"onnx": one.costs[0].cost.value, "pipeline": one.costs[-1].cost.value}
    return found


def tables(summary: Summary, curve: Curve) -> list[Table]:
    return [crossing_table(curve), share_table(curve), cost_table(summary, curve)]


def share_table(curve: Curve) -> Table:
    """Return the table of the models: each model's time, and what each framework adds, in µs and as a share."""
    heads = ["model", "alone, µs", "Flask adds, µs", "Flask's share", "wsgi_core adds, µs", "wsgi_core's share"]
    rows = [
        [point.model, number(point.time.value), *_pair(point, "Flask"), *_pair(point, "wsgi_core")]
        for point in curve.points
    ]
    note = "CPU time in process, with hot caches and without a server, which would add its own cost."
    if any(price.low <= 0 for point in curve.points for price in point.prices.values()):
        note += ' "Below": the price is smaller than the variation of the model\'s time, so only a limit is known.'
    return Table("Model by model", heads, rows, note, section="matter")


def _pair(point: Point, framework: str) -> list[str]:
    price, share = point.prices[framework], point.shares[framework]
    if price.low <= 0:
        return [f"below {number(price.high)}", f"below {share.high:.1%}"]
    return [number(price.value), f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"]


def crossing_table(curve: Curve) -> Table:
    """Return the table of how slow a model must be so that a framework's share is below 50 %, 10 % or 1 %."""
    rows = [[line.framework, *crossings(line)] for line in curve.lines]
    heads = ["", "less than 50 %", "less than 10 %", "less than 1 %"]
    note = (
        "If the model takes longer than this in process with hot caches, the framework's share of the request is below"
        " the percentage in the heading."
    )
    return Table("How slow must the model be?", heads, rows, note, section="matter")


def cost_table(summary: Summary, curve: Curve) -> Table:
    """Return the table of parts of a request that can cost more than a framework."""
    price = curve.line("Flask").price.value
    rows = [[name, *cells(value), f"{value.value / price:.1f}"] for name, value in _costs(summary, curve)]
    note = "CPU time in µs. The last column is the cost as a multiple of what Flask adds to a bare callable."
    return Table("What costs more", ["a step", "µs", "95 % interval", "÷ Flask's price"], rows, note, section="matter")


def _costs(summary: Summary, curve: Curve) -> Iterable[tuple[str, Estimate]]:
    yield "Flask, over the bare callable", curve.line("Flask").price
    for name in (FRAME, READ_784, READ_LARGE, WRITE_LARGE):
        if name in curve.pieces:
            yield name, curve.pieces[name]
    tutorial = summary.experiment("tutorial")
    for cost in tutorial.costs[1:] if tutorial else []:
        if cost.step and cost.step.low > 0:
            yield cost.name, cost.step
