"""What a run found, in sentences: the one that answers the question, and those about the user's own applications."""

from __future__ import annotations

from loadtests.curve import Curve, Line
from loadtests.instrument.results import ExperimentResult, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report import noise
from loadtests.report.analysis import AGAIN_SUFFIX, ExperimentSummary, Summary, difference, matrices
from loadtests.report.tables import claim, number, sentences

APPS = "apps"


def answer(results: Results, summary: Summary, curve: Curve | None) -> str:
    """One sentence, or two: what the framework costs, and when that matters."""
    if noise.judge(results, summary).hopeless:
        return "This run cannot answer: the machine was too noisy."
    if curve is None or not curve.line("Flask").price.low > 0:
        return ""
    flask, own = curve.line("Flask").price, curve.line("wsgi_core").price
    said = (
        f"Flask costs {number(flask.value)} µs of CPU time a request more than a raw callable"
        f" ({number(flask.low)} to {number(flask.high)})"
    )
    said += f", wsgi_core {number(own.value)} µs ({number(own.low)} to {number(own.high)})" if own.low > 0 else ""
    return f"{said}.{_when(curve.line('Flask'))}"


def _when(line: Line) -> str:
    half, tenth, hundredth = (line.crossing(share) for share in (0.5, 0.1, 0.01))
    if not (tenth and hundredth):
        return ""
    start = f"half of the request beside a model of {duration_us(half.value)}, " if half else ""
    return (
        f" That is {start}a tenth beside one of {duration_us(tenth.value)}, and lost in the noise (1 %) from"
        f" {duration_us(hundredth.value)} on."
    )


def duration_us(value: float) -> str:
    """µs below a millisecond, ms above."""
    return f"{number(value)} µs" if value < 1000 else f"{number(value / 1000)} ms"


def crossings(line: Line) -> list[str]:
    """Where the framework's share passes 50, 10 and 1 %: in each case the model's time, with its interval."""
    found = []
    for share in (0.5, 0.1, 0.01):
        at = line.crossing(share)
        if at:
            found.append(f"{duration_us(at.value)} ({duration_us(at.low)} to {duration_us(at.high)})")
        else:
            found.append("below that from the start")
    return found


# The user's own applications


def about_apps(results: Results, summary: Summary) -> list[str]:
    """For each request what may be said of every app against the first one."""
    by_key = {one.key: one for one in results.experiments if one.processes}
    return [said for one in summary.experiments for said in _about(by_key[one.key], one)]


def _about(result: ExperimentResult, one: ExperimentSummary) -> list[str]:
    names = result.contenders
    first = names[0]
    places = [place for place, name in enumerate(names, start=1) if place > 1]
    found = dict(zip(places, estimate(matrices(result), [difference(place, 1) for place in places]), strict=True))
    floors = [_reach(gap) for place, gap in found.items() if names[place - 1].endswith(AGAIN_SUFFIX)]
    said = []
    for place, gap in found.items():
        name = names[place - 1]
        if not name.endswith(AGAIN_SUFFIX):
            said.append(f"{one.title}: {claim(name, first, gap, max(floors, default=0.0))}.")
    return said or [f"{one.title}: {first} costs {number(one.cost(first).cost.value)} µs of CPU time a request."]


def _reach(gap: Estimate) -> float:
    return max(abs(gap.low), abs(gap.high))


def findings(results: Results, summary: Summary, curve: Curve | None) -> list[str]:
    """All that may be said, the answer first; nothing but the verdict on the machine when that was too noisy."""
    if noise.judge(results, summary).hopeless:
        return [noise.judge(results, summary).sentence]
    said = about_apps(results, summary) if results.study == APPS else sentences(results, summary)
    first = answer(results, summary, curve)
    return [first, *said] if first else said
