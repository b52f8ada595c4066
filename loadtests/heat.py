"""Hot and cold caches: what a framework costs if other code has used the CPU before the request.

In process, requests directly follow each other, and find their code and data in the CPU caches. In a server, other work
runs between two requests. So this study evicts data or code from the caches before each request. It also measures the
applications behind a server, without evictions. The *price* of a framework is its cost minus the cost of the *bare
callable*, a plain WSGI function.

The study tests a linear model with one parameter, the *coldness*: 0 without an eviction, 1 after the largest eviction
of data. The model says that each price rises in a straight line from coldness 0 to coldness 1. So the price of
wsgi_core gives the coldness, and the coldness predicts the price of Flask.

The study also measures how much a pause inside a request costs, with hot and with cold caches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtests.instrument.eviction import Eviction
from loadtests.instrument.experiment import Contender, Experiment
from loadtests.instrument.results import ExperimentResult, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report.figures import difference, matrices, net, ratio
from loadtests.report.loads import summarise_load
from loadtests.studies import AGAIN, FLASK, FLOOR, MODERATE, OWN, Load, Study, rungs, served_rung
from loadtests.studies import HEAT as KEY

DATA = tuple(Eviction(size) for size in (0, 32 << 10, 128 << 10, 512 << 10, 2 << 20, 8 << 20))
CODE = (Eviction(code=200), Eviction(code=2000))
PAUSE = 50
PAUSED = (DATA[0], DATA[-1])


@dataclass(frozen=True)
class State:
    """The costs in µs after the eviction ``eviction``.

    ``prices`` has the prices of wsgi_core and Flask. ``ratio`` is Flask's cost divided by wsgi_core's cost.
    """

    eviction: str
    costs: dict[str, Estimate]
    prices: dict[str, Estimate]
    ratio: Estimate


@dataclass(frozen=True)
class Prediction:
    """What the linear model predicts for one state of the caches (see the module's docstring).

    ``own`` is the measured price of wsgi_core, and ``measured`` is the measured price of Flask. ``coldness`` has the
    coldness that each framework's measured price gives. ``predicted`` is the price of Flask at wsgi_core's coldness.
    """

    state: str
    own: Estimate
    coldness: dict[str, Estimate]
    predicted: Estimate
    measured: Estimate

    @property
    def agrees(self) -> bool:
        """Whether the intervals of the predicted and the measured price overlap."""
        return self.predicted.low <= self.measured.high and self.measured.low <= self.predicted.high


@dataclass(frozen=True)
class Heat:
    """The results of the study of hot and cold caches. The module's docstring explains *price* and the model behind the
    predictions.

    ``states`` has a state for each eviction of data, and ``others`` a state for each eviction of code. ``predictions``
    has a prediction for each of these states, except for the smallest and the largest eviction of data. ``served`` has
    the prices behind waitress, and ``served_prediction`` is the prediction for them. If no prices behind waitress were
    measured, ``served`` is empty and ``served_prediction`` is None.

    ``slopes`` has the extra time of a request, in µs for each µs of a pause inside the request. Each key is a pair: the
    application with the pause (Flask or the bare callable), and the eviction.
    """

    states: list[State]
    others: list[State]
    slopes: dict[tuple[str, str], Estimate]
    served: dict[str, Estimate]
    predictions: list[Prediction]
    served_prediction: Prediction | None


def study() -> Study:
    contenders = rungs((FLOOR, OWN, AGAIN, FLASK), model="null")
    states = [
        Experiment(f"{KEY} {one}", f"Before each request: {one} evicted", "predict", contenders, group=KEY, evict=one)
        for one in (*DATA, *CODE)
    ]
    served = tuple(served_rung(name, model="null") for name in (FLOOR, OWN, FLASK))
    load = Load(KEY, "The null model on waitress", "closed loop", served, shares=(MODERATE,), both_runs=True)
    return Study(KEY, "Hot and cold caches", (*states, *_pauses()), (load,))


def _pauses() -> list[Experiment]:
    """Return the experiments that compare a pause of 0 µs with a pause of ``PAUSE`` µs.

    The pauses are in Flask and in the bare callable, each with hot and with cold caches.
    """
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
    """Return the results of the study. If an eviction has samples of fewer than two processes, return None."""
    by_key = {one.key: one for one in results.experiments if len(one.processes) > 1}
    wanted = {f"{KEY} {one}" for one in (*DATA, *CODE)}
    if not wanted <= by_key.keys():
        return None
    states, others = ([_state(by_key[f"{KEY} {one}"], str(one)) for one in group] for group in (DATA, CODE))
    slopes = {
        (place, str(one)): _slope(by_key[key])
        for place in (FLASK, FLOOR)
        for one in PAUSED
        if (key := f"pause {place}, {one}") in by_key
    }
    served = _served(results)
    hot, *between, cold = states
    predictions = [_prediction(hot, cold, one.eviction, one.prices) for one in (*between, *others)]
    served_prediction = _prediction(hot, cold, "served by waitress", served) if served else None
    return Heat(states, others, slopes, served, predictions, served_prediction)


def _state(result: ExperimentResult, eviction: str) -> State:
    names = (FLOOR, OWN, FLASK)
    floor, own, flask = map(result.column, names)
    figures = [net(floor), net(own), net(flask), difference(own, floor), difference(flask, floor), ratio(flask, own)]
    *costs, own_price, flask_price, times = estimate(matrices(result), figures)
    return State(eviction, dict(zip(names, costs, strict=True)), {OWN: own_price, FLASK: flask_price}, times)


def _slope(result: ExperimentResult) -> Estimate:
    return estimate(matrices(result), [lambda cost: (cost[..., 2] - cost[..., 1]) / PAUSE])[0]


def _served(results: Results) -> dict[str, Estimate]:
    """Return the prices of wsgi_core and Flask behind waitress, from the server's CPU time per request.

    If fewer than two repetitions are complete, return an empty dict.
    """
    loads = [summarise_load(load) for load in results.loads if load.key == f"{KEY}_rate" and load.runs]
    return {name: load.cpu_differences[name, FLOOR] for load in loads if load.pairs > 1 for name in (OWN, FLASK)}


def _prediction(hot: State, cold: State, state: str, prices: dict[str, Estimate]) -> Prediction:
    """Return the prediction for the state named ``state``, in which the prices ``prices`` were measured.

    ``hot`` is the state with the coldness 0, and ``cold`` is the state with the coldness 1.
    """
    coldness = {name: _coldness(hot.prices[name], cold.prices[name], prices[name]) for name in (OWN, FLASK)}
    predicted = _price(hot.prices[FLASK], cold.prices[FLASK], coldness[OWN])
    return Prediction(state, prices[OWN], coldness, predicted, prices[FLASK])


def _coldness(hot: Estimate, cold: Estimate, price: Estimate) -> Estimate:
    """Return where ``price`` lies on the straight line from ``hot`` (0) to ``cold`` (1)."""
    rise = max(cold.value - hot.value, 1e-9)
    value = (price.value - hot.value) / rise
    return _with(
        value, *(one / rise for one in (price.half_width, (1 - value) * hot.half_width, value * cold.half_width))
    )


def _price(hot: Estimate, cold: Estimate, coldness: Estimate) -> Estimate:
    """Return the price at ``coldness`` on the straight line from ``hot`` (0) to ``cold`` (1)."""
    rise, at = cold.value - hot.value, coldness.value
    value = hot.value + at * rise
    return _with(value, rise * coldness.half_width, (1 - at) * hot.half_width, at * cold.half_width)


def _with(value: float, *errors: float) -> Estimate:
    """Return ``value`` with an interval whose half-width is the sum of ``errors`` in quadrature."""
    half = math.hypot(*errors)
    return Estimate(value, value - half, value + half)
