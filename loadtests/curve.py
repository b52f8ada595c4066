"""Compute a framework's share of a request as a function of the time that the model takes.

Each experiment measures one model: the model alone, and requests that call the model through a framework or the *bare
callable*, a plain WSGI function. A *contender* is an application in an experiment. A *ladder* is an experiment with
contenders from the bare callable to Flask.

The *price* of a framework is its cost minus the cost of the bare callable. The *share* of a framework is its price
divided by the cost of the whole request. The curve assumes that requests with different models differ only in the time
of the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtests.instrument.experiment import Contender, Experiment
from loadtests.instrument.request import Request, json_request
from loadtests.instrument.results import ExperimentResult, Results
from loadtests.instrument.stats import Estimate, estimate
from loadtests.report.figures import difference, matrices, net, quotient
from loadtests.rows import rows_of
from loadtests.rungs.work import load_model
from loadtests.studies import FLOOR, PAIR, rungs
from loadtests.studies import MODELS as GROUP
from wsgi_core.inference import ModelError

MODELS = ("identity", "churn", "loan", "sentiment", "digits", "minilm")
# Models that the user must build first.
OPTIONAL = {"minilm": "not built; build it with: wsgi-core models build minilm"}
FRAMEWORKS = PAIR
ALONE = "the model alone"
CROSSINGS = (0.5, 0.1, 0.01)
PREFIX = "model "
PIECES = "pieces"
FRAME, READ_784, READ_LARGE, WRITE_LARGE = (
    "a row into a DataFrame and out",
    "784 floats out of JSON",
    "12,544 floats out of JSON",
    "12,544 floats into JSON",
)


@dataclass(frozen=True)
class Point:
    """One model: the time of the model alone, and the price and the share of each framework."""

    model: str
    time: Estimate
    prices: dict[str, Estimate]
    shares: dict[str, Estimate]


@dataclass(frozen=True)
class Line:
    """The curve of one framework: ``share(t) = price / (price + rest + t)``, in µs of CPU time.

    ``t`` is the time of the model. ``rest`` is the cost of everything that is neither framework nor model.
    """

    framework: str
    price: Estimate
    rest: Estimate

    def share(self, model_us: float) -> float:
        """Return the framework's share of a request whose model takes ``model_us`` µs."""
        return self.price.value / (self.price.value + self.rest.value + model_us)

    def crossing(self, share: float) -> Estimate | None:
        """Return the time of the model in µs at which the framework's share is ``share``.

        If the framework's share is never above ``share``, return None. The interval has only the uncertainty of
        ``price``, not that of ``rest``.
        """
        low, value, high = (self._crossing(price, share) for price in (self.price.low, self.price[0], self.price.high))
        return Estimate(value, max(0.0, low), high) if value > 0 else None

    def _crossing(self, price: float, share: float) -> float:
        return price / share - price - self.rest.value


@dataclass(frozen=True)
class Curve:
    """A chart of the share of a request that the framework costs, by the time that the model takes.

    ``points`` are the measured models. ``lines`` are the calculated shares, one line for each framework. ``pieces`` are
    the costs of other parts of a request. All values except shares are in µs of CPU time.
    """

    points: list[Point]
    lines: list[Line]
    pieces: dict[str, Estimate]

    def line(self, framework: str) -> Line:
        return {line.framework: line for line in self.lines}[framework]


# Measuring


def available() -> tuple[list[str], list[str]]:
    """Return the names of the models that can be loaded, and a message for each model that cannot be loaded."""
    there, missing = [], []
    for model in MODELS:
        try:
            load_model(model)
        except (ImportError, ModelError) as error:
            missing.append(f"{model}: {OPTIONAL.get(model, error)}")
        else:
            there.append(model)
    return there, missing


def experiments_of(models: Sequence[str]) -> list[Experiment]:
    """Return one experiment for each model, and one for other parts of a request, such as parsing JSON."""
    return [*(_model_experiment(model) for model in models), _pieces_experiment()]


def _model_experiment(model: str) -> Experiment:
    rows = rows_of(model)
    options = {"model": model, "rows": rows.rows}
    alone = Contender(ALONE, "loadtests.rungs.pieces:create_model_app", options, compared=False)
    requests = tuple(json_request("/predict", row) for row in rows.rows)
    title = f"{model}: {rows.source}"
    return Experiment(
        PREFIX + model,
        title,
        "",
        (*rungs((FLOOR, *FRAMEWORKS), model=model), alone),
        "Flask",
        group=GROUP,
        requests=requests,
    )


def _pieces_experiment() -> Experiment:
    made = (
        Contender(READ_784, "loadtests.rungs.pieces:create_json_app", {"floats": 784}),
        Contender(READ_LARGE, "loadtests.rungs.pieces:create_json_app", {"floats": 12544}),
        Contender(WRITE_LARGE, "loadtests.rungs.pieces:create_json_app", {"floats": 12544, "write": True}),
        Contender(FRAME, "loadtests.rungs.pieces:create_frame_app", {"rows": rows_of("churn").rows}),
    )
    title = "Parts of a request other than the framework"
    return Experiment(PIECES, title, "", made, READ_784, group=GROUP, requests=(Request("GET", "/"),))


# Results


def summarise(results: Results) -> Curve | None:
    """Return the curve of a result file, or None if the file lacks the measurements.

    Each experiment with a model gives a point. Without such experiments, the ladders with the models null and churn
    give the points. The model null does no work.
    """
    measured = [one for one in results.experiments if one.group == GROUP and one.processes]
    points = [_point(one, one.key.removeprefix(PREFIX), ALONE) for one in measured if one.key.startswith(PREFIX)]
    pieces = [piece for one in measured if one.key == PIECES for piece in _pieces(one).items()]
    ladder = next((one for one in results.experiments if one.key == "null" and one.processes), None)
    floor = ladder or next((one for one in measured if one.key == f"{PREFIX}identity"), None)
    if floor is None or not {FLOOR, *FRAMEWORKS} <= set(floor.contenders):
        return None
    lines = [_line(floor, framework) for framework in FRAMEWORKS]
    if not points:
        points = _points_of_ladder(results)
    return Curve(sorted(points, key=lambda point: point.time.value), lines, dict(pieces))


def _line(floor: ExperimentResult, framework: str) -> Line:
    raw, own = floor.column(FLOOR), floor.column(framework)
    rest = net(raw)
    if ALONE in floor.contenders:
        rest = difference(raw, floor.column(ALONE))
    return Line(framework, *estimate(matrices(floor), [difference(own, raw), rest]))


def _point(result: ExperimentResult, model: str, alone: str) -> Point:
    """Return the point of ``model``. The time of the model is the cost of the contender ``alone``."""
    figures = [net(result.column(alone))]
    for framework in FRAMEWORKS:
        price = difference(result.column(framework), result.column(FLOOR))
        figures += [price, quotient(price, net(result.column(framework)))]
    time, *found = estimate(matrices(result), figures)
    prices, shares = dict(zip(FRAMEWORKS, found[::2], strict=True)), dict(zip(FRAMEWORKS, found[1::2], strict=True))
    return Point(model, time, prices, shares)


def _points_of_ladder(results: Results) -> list[Point]:
    """Return a point for each of the models ``null`` and ``churn``, from the ladder that calls this model.

    A ladder is an experiment with applications from the bare callable up to Flask.
    """
    by_key = {one.key: one for one in results.experiments if one.processes}
    ladders = [by_key[key] for key in ("null", "churn") if key in by_key]
    points = [_point(one, one.key, FLOOR) for one in ladders if {FLOOR, *FRAMEWORKS} <= set(one.contenders)]
    return [replace(point, time=_less(point.time, points[0].time)) for point in points]


def _less(one: Estimate, other: Estimate) -> Estimate:
    """Return ``one`` minus ``other``, but at least 0. The samples of the two estimates must be independent.

    The half-widths are added in quadrature. If ``one`` and ``other`` are the same object, the result is exactly 0.
    """
    value = max(0.0, one.value - other.value)
    reach = math.hypot(one.half_width, other.half_width) if one is not other else 0.0
    return Estimate(value, max(0.0, value - reach), value + reach)


def _pieces(result: ExperimentResult) -> dict[str, Estimate]:
    figures = [net(place) for place in range(1, len(result.contenders) + 1)]
    return dict(zip(result.contenders, estimate(matrices(result), figures), strict=True))
