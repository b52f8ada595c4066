"""Published claims about the cost of a request, with their sources, beside what was measured here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtests.curve import FRAME, READ_784, READ_LARGE, WRITE_LARGE, Curve, Point
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import Summary
from loadtests.report.findings import crossings
from loadtests.report.format import Table, interval, microseconds, number


@dataclass(frozen=True)
class Source:
    """A summary of a source's claim, and the source."""

    said: str
    name: str
    url: str
    found: str


# Summaries in this project's words.
_SOURCES = {
    "framework": (
        "A request took 340 ms, of which the model took 80 ms; the framework was slow",
        "TildAlice, FastAPI vs Flask Async: Cut ML Inference Latency 48%",
        "https://dev.to/tildalice/fastapi-vs-flask-async-cut-ml-inference-latency-48-5i3",
    ),
    "small": (
        "Flask with a logistic regression takes 1.8 ms per request on average",
        "Idowu and Omiyale, Comparative Evaluation of Flask and web2py for AI Microservices, 2026",
        "https://journals.abuad.edu.ng/index.php/ajerd/article/view/1804",
    ),
    "library": (
        "Libraries that are made for batches are slow for a single row",
        "Halford, Speeding up scikit-learn for single predictions",
        "https://maxhalford.github.io/blog/speeding-up-sklearn-single-predictions/",
    ),
}


def sources(summary: Summary, curve: Curve) -> list[Source]:
    """Return the published claims with the measured figures. Claims without a measurement are omitted."""
    flask = curve.line("Flask").price
    times = {point.model: point.time for point in curve.points}
    found = {
        "framework": f"Flask adds {microseconds(flask.value)} of CPU time to a bare callable, in process. A wait of"
        " hundreds of ms is a queue, a database or the model: not the framework's own work.",
        "small": f"loan, a scaler and a regression in onnxruntime, takes {microseconds(times['loan'].value)} alone,"
        f" and Flask adds {microseconds(flask.value)}."
        if "loan" in times
        else "",
        "library": _tutorial(summary),
    }
    return [Source(*_SOURCES[key], text) for key, text in found.items() if text]


def _tutorial(summary: Summary) -> str:
    one = summary.experiment("tutorial")
    if one is None:
        return ""
    first, last = one.costs[0], one.costs[-1]
    return (
        f"The whole request, with the same trees: {microseconds(first.cost.value)} with onnxruntime,"
        f" {microseconds(last.cost.value)} through scikit-learn and a DataFrame."
    )


def share_table(curve: Curve) -> Table:
    """Return one row for each model: its time, the frameworks' prices, and their shares of the whole request."""
    heads = ["model", "alone, µs", "Flask adds, µs", "Flask's share", "wsgi_core adds, µs", "wsgi_core's share"]
    rows = [
        [point.model, number(point.time.value), *_pair(point, "Flask"), *_pair(point, "wsgi_core")]
        for point in curve.points
    ]
    note = (
        "CPU time in process, with warm caches and without a server: a server makes every share smaller."
        ' "Below" means that the framework is lost in the model\'s own scatter, and only a limit can be given.'
    )
    return Table("Model by model", heads, rows, note)


def _pair(point: Point, framework: str) -> list[str]:
    price, share = point.prices[framework], point.shares[framework]
    if price.low <= 0:
        return [f"below {number(price.high)}", f"below {share.high:.1%}"]
    return [number(price.value), f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"]


def crossing_table(curve: Curve) -> Table:
    """Return the times of the model at which a framework is half, a tenth and a hundredth of the request."""
    rows = [[line.framework, *crossings(line)] for line in curve.lines]
    heads = ["", "less than 50 %", "less than 10 %", "less than 1 %"]
    note = "The time of the model, in process, from which on the framework is less of the request than the head says."
    return Table("How slow must the model be?", heads, rows, note)


def cost_table(summary: Summary, curve: Curve) -> Table:
    """Return the parts of a request that cost more than any framework here."""
    price = curve.line("Flask").price.value
    rows = [[name, number(value.value), interval(value), f"{value.value / price:.1f}"]
            for name, value in _costs(summary, curve)]  # fmt: skip
    note = "µs of CPU time. The last column: as a multiple of what Flask adds to a bare callable."
    return Table("What costs more", ["a step", "µs", "95 % interval", "÷ Flask's price"], rows, note)


def _costs(summary: Summary, curve: Curve) -> Iterable[tuple[str, Estimate]]:
    yield "Flask, over the bare callable", curve.line("Flask").price
    for name in (FRAME, READ_784, READ_LARGE, WRITE_LARGE):
        if name in curve.pieces:
            yield name, curve.pieces[name]
    tutorial = summary.experiment("tutorial")
    for cost in tutorial.costs[1:] if tutorial else []:
        if cost.step and cost.step.low > 0:
            yield cost.name, cost.step
