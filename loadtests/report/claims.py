"""The rule for claims: two costs differ if the interval of their ratio is farther from 1 than the noise.

The noise is how much an application appears to differ from itself when it is measured twice. A *load* is a measurement
of several services behind servers.
"""

from __future__ import annotations

import math

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import ExperimentSummary, Summary
from loadtests.report.format import interval, number
from loadtests.report.loads import LoadSummary
from loadtests.studies import APPS, OWN


def differs(ratio: Estimate, floor: float = 0.0) -> bool:
    """Return whether a report may claim that two costs with the ratio ``ratio`` differ.

    ``floor`` is the noise, as a share.
    """
    return ratio.low > 1 + floor or ratio.high < 1 / (1 + floor)


def inverse(ratio: Estimate) -> Estimate:
    """Return the reciprocal of a ratio. If its interval reaches 0 or below, the new interval is infinite."""
    if ratio.low <= 0:
        return Estimate(1 / ratio.value if ratio.value else math.inf, -math.inf, math.inf)
    return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)


def claim(one: str, other: str, ratio: Estimate, floor: float = 0.0, what: str = "costs {} times as much as") -> str:
    """Return the sentence that compares ``one`` with ``other``. ``ratio`` is the ratio of their costs, one ÷ other.

    ``floor`` is the noise, as a share. ``what`` is the verb phrase, whose braces stand for the ratio.
    """
    if differs(ratio, floor):
        return f"{one} {what.format(number(ratio.value))} {other} ({interval(ratio)})"
    below = f"; differences below {floor:.1%} are noise in this run" if floor else ""
    return f"no difference between {one} and {other} can be claimed ({interval(ratio)} times{below})"


def pair_of(one: ExperimentSummary) -> tuple[str, str, Estimate]:
    """Return two applications to compare in a sentence, and the ratio of their costs: the first ÷ the second."""
    last = one.costs[-1]
    if one.reference == one.costs[0].name:
        return last.name, one.reference, last.to_reference
    names = [cost.name for cost in one.costs if cost.name != one.reference]
    other = OWN if OWN in names else names[-1]
    return one.reference, other, inverse(one.cost(other).to_reference)


def sentences(results: Results, summary: Summary) -> list[str]:
    """Return the findings as sentences."""
    if results.study == APPS:
        said = [text for one in summary.experiments for text in _about_apps(one)]
    else:
        said = [f"{one.title}: {claim(*pair_of(one), one.reach)}." for one in summary.experiments if one.ladder]
    rates = {load.result.title for load in summary.loads if load.result.mode == "rate"}
    chosen = [load for load in summary.loads if load.result.mode == "rate" or load.result.title not in rates]
    return said + [
        f"{load.result.title}: {text}." for load in chosen for text in _about_load(load, results.study == APPS)
    ]


def _about_apps(one: ExperimentSummary) -> list[str]:
    first, *others = one.costs
    if not others:
        return [f"{one.title}: {first.name} costs {number(first.cost.value)} µs of CPU time a request."]
    return [f"{one.title}: {claim(cost.name, first.name, cost.to_reference, one.reach)}." for cost in others]


def _about_load(load: LoadSummary, apps: bool) -> list[str]:
    """Return sentences that compare the services of a load.

    If ``apps`` is true, the services are the user's applications, and each is compared with the first. Otherwise the
    last service other than wsgi_core is compared with wsgi_core or, without wsgi_core, with the first service.
    """
    names = [service.name for service in load.services]
    if len(names) < 2:
        return []
    if apps:
        return [_served(load, name, names[0]) for name in names[1:]]
    others = [name for name in names if name != OWN]
    return [_served(load, others[-1], OWN if OWN in names else names[0])]


def _served(load: LoadSummary, one: str, other: str) -> str:
    return claim(one, other, load.cpu[one, other], what="takes {} times as much CPU time of the server as")
