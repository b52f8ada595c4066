"""The main findings of a run, as sentences: how frameworks compare, and whether the machine was quiet."""

from __future__ import annotations

from dataclasses import dataclass

from loadtests.curve import CROSSINGS, Curve, Line
from loadtests.instrument.results import Results
from loadtests.report import claims, noise, versions
from loadtests.report.analysis import Summary
from loadtests.report.format import interval, microseconds, number
from loadtests.studies import APPS, FLASK, FLOOR, OWN, VERSIONS


@dataclass(frozen=True)
class Findings:
    """The first lines of every report: the main finding, the verdict on the machine, and the other findings."""

    headline: str
    machine: noise.Noise
    others: list[str]

    @property
    def lines(self) -> list[str]:
        return [line for line in (self.headline, self.machine.sentence, *self.others) if line]


def findings_of(results: Results, summary: Summary) -> Findings:
    """Return the findings. If the run was too noisy, the findings say only that."""
    machine = noise.judge(results, summary)
    if machine.unusable:
        return Findings("This run has no result: the machine was too noisy.", machine, [])
    said = versions.sentences(summary) if results.study == VERSIONS else claims.sentences(results, summary)
    first = _ratio(summary) if results.study != APPS else ""
    if not first:
        return Findings(said[0] if said else "", machine, said[1:])
    # The headline already has this ladder.
    null = summary.experiment("null")
    rest = [one for one in said if not (null and one.startswith(f"{null.title}:"))]
    return Findings(first, machine, [*_price(summary.curve), *rest])


def _ratio(summary: Summary) -> str:
    """Return the sentence with the ratio of Flask's cost to wsgi_core's, or "" if this was not measured.

    A report gives this ratio before the µs, because times differ from machine to machine more than ratios do.
    """
    one = summary.experiment("null")
    names = {cost.name for cost in one.costs} if one else set()
    if one is None or not {FLASK, OWN, FLOOR} <= names:
        return ""
    to_own, to_floor = (claims.inverse(one.cost(name).to_reference) for name in (OWN, FLOOR))
    said = claims.claim(FLASK, OWN, to_own, one.reach)
    if claims.differs(to_own, one.reach) and claims.differs(to_floor, one.reach):
        said += f" and {number(to_floor.value)} times as much as a bare callable ({interval(to_floor)})"
    return f"{said}, with a model that does no work."


def _price(curve: Curve | None) -> list[str]:
    """Return sentences about what each framework adds to a request on this machine, and for which models it matters."""
    if curve is None or not curve.line(FLASK).price.low > 0:
        return []
    flask, own = curve.line(FLASK).price, curve.line(OWN).price
    said = f"On this machine, in this run, Flask adds {number(flask.value)} µs of CPU time ({interval(flask)})"
    said += f" to a bare callable, wsgi_core {number(own.value)} µs ({interval(own)})." if own.low > 0 else "."
    return [f"{said} Times in µs differ on other machines: compare ratios.", *_when(curve.line(FLASK))]


def _when(line: Line) -> list[str]:
    half, tenth, hundredth = (line.crossing(share) for share in CROSSINGS)
    if not (tenth and hundredth):
        return []
    price = f"the {number(line.price.value)} µs that {line.framework} adds are"
    said = f"At {microseconds(tenth.value)} {price} 10 %"
    if half:
        said = f"If your model takes {microseconds(half.value)}, {price} half of the request"
        said += f"; at {microseconds(tenth.value)} they are 10 %"
    return [f"{said}, at {microseconds(hundredth.value)} 1 %."]


def crossings(line: Line) -> list[str]:
    """Return three texts: how long a model takes if the framework's share of the request is 50, 10 and 1 %, with
    intervals.

    If the framework's share is never above a percentage, the text for this percentage is "always".
    """
    found = []
    for share in CROSSINGS:
        at = line.crossing(share)
        if at:
            found.append(f"{microseconds(at.value)} ({microseconds(at.low)} to {microseconds(at.high)})")
        else:
            found.append("always")
    return found
