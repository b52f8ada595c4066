"""A whole inference, its statistics, and its timings."""

from __future__ import annotations

import json

import pytest

from wsgi_core.inference import Model, ModelRepository
from wsgi_core.inference.v2 import Statistics, infer
from wsgi_core.inference.work import Times, Work


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelRepository().get("churn")


def body(rows: int = 1) -> bytes:
    data = [5, 85.5, 430, 1, 1] * rows
    tensor = {"name": "features", "shape": [rows, 5], "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def test_the_answer_is_what_the_model_says(model: Model) -> None:
    answer = infer(model, body(), None, Statistics())
    assert answer.json_length is None
    payload = json.loads(answer.body)
    said = model.predict({**dict(zip((f.name for f in model.card.features), [5, 85.5, 430, 1, 1], strict=True))})  # type: ignore[union-attr]
    assert payload["outputs"][1]["data"][1] == pytest.approx(said["churn_probability"], abs=1e-7)


def test_the_phases_are_told(model: Model) -> None:
    times: Times = {}
    with Work(times=times):
        infer(model, body(), None, Statistics())
    assert set(times) == {"parse", "validate", "infer", "encode"}
