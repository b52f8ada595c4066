"""Hot and cold caches: what a framework costs if other code has used the processor before the request.

In process, requests follow each other and find their code and data in the caches. In a server, other work comes between
them. So this study measures the bare callable, wsgi_core and Flask with more and more of the caches evicted before each
request, and also served.

The study tests a prediction: a served request finds the caches as after an eviction of a certain size. The size is
taken from what wsgi_core costs when served, and predicts what Flask costs when served. A pause inside a request is also
other work: if nothing is left to evict, a pause must cost exactly its own length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.instrument.eviction import Eviction
from loadtests.instrument.experiment import Contender, Experiment
from loadtests.instrument.results import ExperimentResult, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report.analysis import difference, matrices, net, ratio, summarise_load
from loadtests.studies import AGAIN, MODERATE, Load, Study, rung, served_rung
from loadtests.studies import HEAT as KEY

FLOOR, OWN, FLASK = "raw callable", "wsgi_core", "Flask"
RUNGS = ((FLOOR, "raw"), (OWN, "core"), (AGAIN, "core"), (FLASK, "flask_app"))
DATA = tuple(Eviction(size) for size in (0, 32 << 10, 128 << 10, 512 << 10, 2 << 20, 8 << 20))
CODE = (Eviction(code=200), Eviction(code=2000))
PAUSE = 50
PAUSED = (DATA[0], DATA[-1])


@dataclass(frozen=True)
class State:
    """The costs after one eviction: of each rung, and of wsgi_core and Flask beyond the bare callable. In µs."""

    eviction: str
    costs: dict[str, Estimate]
    prices: dict[str, Estimate]
    ratio: Estimate


@dataclass(frozen=True)
class Slope:
    """What a µs of pause costs in Flask or in the bare callable, after an eviction."""

    place: str
    eviction: str
    slope: Estimate


@dataclass(frozen=True)
class Heat:
    """The results of the study.

    ``served`` has the prices behind waitress. ``predicted`` is the predicted price of Flask, or None. ``place`` is the
    estimated state of the caches in a served request, from 0 (the first state) to 1 (the last one).
    """

    states: list[State]
    others: list[State]
    slopes: list[Slope]
    served: dict[str, Estimate]
    predicted: Estimate | None
    place: float


def study() -> Study:
    """Return the study."""
    rungs = tuple(rung(name, module, model="null") for name, module in RUNGS)
    states = [
        Experiment(f"{KEY} {one}", f"Before each request: {one} evicted", "predict", rungs, group=KEY, evict=one)
        for one in (*DATA, *CODE)
    ]
    served = tuple(served_rung(name, module, model="null") for name, module in RUNGS if name != AGAIN)
    load = Load(KEY, "The null model on waitress", "closed loop", served, shares=(MODERATE,), both_runs=True)
    return Study(KEY, "Hot and cold caches", (*states, *_pauses()), (load,))


def _pauses() -> list[Experiment]:
    """Return contenders with a pause of 0 and of ``PAUSE`` µs, in Flask and in the bare callable, hot and cold."""
    found = []
    for place, factory in ((FLASK, "create_app"), (FLOOR, "create_bare")):
        made = tuple(
            Contender(f"{time} µs", f"loadtests.rungs.delayed:{factory}", {"microseconds": time}) for time in (0, PAUSE)
        )
        for one in PAUSED:
            key, title = f"pause {place}, {one}", f"A pause in {place}: {one} evicted"
            found.append(Experiment(key, title, "predict", made, made[0].name, group=KEY, evict=one))
    return found


def summarise(results: Results) -> Heat | None:
    """Return the results of the study, or None if the file has another study or an incomplete one."""
    by_key = {one.key: one for one in results.experiments if len(one.processes) > 1}
    wanted = {f"{KEY} {one}" for one in (*DATA, *CODE)}
    if not wanted <= by_key.keys():
        return None
    states, others = ([_state(by_key[f"{KEY} {one}"], str(one)) for one in group] for group in (DATA, CODE))
    slopes = [
        Slope(place, str(one), _slope(by_key[key]))
        for place in (FLASK, FLOOR)
        for one in PAUSED
        if (key := f"pause {place}, {one}") in by_key
    ]
    served = _served(results)
    place, predicted = _predicted(states, served)
    return Heat(states, others, slopes, served, predicted, place)


def _state(result: ExperimentResult, eviction: str) -> State:
    names = (FLOOR, OWN, FLASK)
    floor, own, flask = map(result.column, names)
    figures = [net(floor), net(own), net(flask), difference(own, floor), difference(flask, floor), ratio(flask, own)]
    *costs, own_price, flask_price, times = estimate(matrices(result), figures)
    return State(eviction, dict(zip(names, costs, strict=True)), {OWN: own_price, FLASK: flask_price}, times)


def _slope(result: ExperimentResult) -> Estimate:
    return estimate(matrices(result), [lambda cost: (cost[..., 2] - cost[..., 1]) / PAUSE])[0]


def _served(results: Results) -> dict[str, Estimate]:
    """Return the extra cost of serving wsgi_core and Flask, compared with the bare callable, paired by run."""
    loads = [summarise_load(load) for load in results.loads if load.key == f"{KEY}_rate" and load.runs]
    return {name: load.cpu_differences[name, FLOOR] for load in loads if load.pairs > 1 for name in (OWN, FLASK)}


def _predicted(states: Sequence[State], served: dict[str, Estimate]) -> tuple[float, Estimate | None]:
    """Return where between the states wsgi_core's served price lies, and Flask's price at that point."""
    if not served:
        return 0.0, None
    places = np.linspace(0, 1, len(states))
    own = np.maximum.accumulate([state.prices[OWN].value for state in states])
    found = [float(np.interp(part, own, places)) for part in (served[OWN].value, served[OWN].low, served[OWN].high)]
    flask = np.maximum.accumulate([state.prices[FLASK].value for state in states])
    value, low, high = (float(np.interp(place, places, flask)) for place in found)
    # The uncertainty of the states adds to the uncertainty of wsgi_core's served price.
    per_own = (flask[-1] - flask[0]) / max(own[-1] - own[0], 1e-9)
    own_reach = per_own * max(state.prices[OWN].half_width for state in states)
    reach = math.hypot(own_reach, max(state.prices[FLASK].half_width for state in states))
    return found[0], Estimate(value, value - math.hypot(value - low, reach), value + math.hypot(high - value, reach))
