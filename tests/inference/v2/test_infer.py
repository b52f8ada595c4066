"""A whole inference, what is counted of it, and where its time is said to have gone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wsgi_core.inference import InputError, Model, ModelRepository, timing
from wsgi_core.inference.v2 import Statistics, infer


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelRepository().get("churn")


def body(rows: int = 1) -> bytes:
    data = [5, 85.5, 430, 1, 1] * rows
    tensor = {"name": "features", "shape": [rows, 5], "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def totals(statistics: Statistics, model: Model) -> Any:
    (found,) = statistics.as_json([model])["model_stats"]
    return found


def test_the_answer_is_what_the_model_says(model: Model) -> None:
    answer = infer(model, body(), None, Statistics())
    assert answer.json_length is None
    payload = json.loads(answer.body)
    said = model.predict({**dict(zip((f.name for f in model.card.features), [5, 85.5, 430, 1, 1], strict=True))})  # type: ignore[union-attr]
    assert payload["outputs"][1]["data"][1] == pytest.approx(said["churn_probability"], abs=1e-7)


def test_rows_and_runs_and_failures_are_counted_by_any_thread(model: Model) -> None:
    statistics = Statistics()
    assert totals(statistics, model)["inference_count"] == 0

    def ask(number: int) -> None:
        if number % 2:
            infer(model, body(3), None, statistics)
        else:
            with pytest.raises(InputError):
                infer(model, b"{", None, statistics)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(100)))
    found = totals(statistics, model)
    assert (found["inference_count"], found["execution_count"]) == (150, 50)
    assert found["inference_stats"]["success"]["count"] == found["inference_stats"]["fail"]["count"] == 50
    assert found["inference_stats"]["queue"] == {"count": 0, "ns": 0}


def test_the_phases_are_told(model: Model) -> None:
    times: timing.Times = {}
    token = timing.current.set(times)
    try:
        infer(model, body(), None, Statistics())
    finally:
        timing.current.reset(token)
    assert set(times) == {"parse", "validate", "infer", "encode"}
