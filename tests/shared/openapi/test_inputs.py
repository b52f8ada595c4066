"""The schemas that are made from cards accept exactly the input that the models accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conformance.cases import GOOD, but
from wsgi_core.inference import Model, ModelRepository, default_models_dir
from wsgi_core.shared.openapi.inputs import payload_schema, prediction_schema, row_schema


@pytest.fixture(scope="module")
def models() -> ModelRepository:
    return ModelRepository()


@pytest.mark.parametrize(
    "payload",
    [
        GOOD, but(note="x"), [GOOD], [GOOD] * 3, {"instances": [GOOD]}, {**GOOD, "instances": [GOOD]},
        [], {}, {"instances": []}, {"instances": GOOD}, {**GOOD, "instances": 1}, [GOOD, {}], None, 7, "x",
        but(tenure_months=-1), but(tenure_months=121), but(tenure_months="5"), but(has_fiber=2), but(has_fiber=True),
        but(total_charges=None), but(tenure_months=...), [but(has_fiber=0.5)],
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_accepts_what_predict_accepts(models: ModelRepository, payload: Any):
    model = models.get("churn")
    try:
        answer: Any = model.predict(payload)
    except ValueError:
        answer = None
    assert Draft202012Validator(payload_schema(model)).is_valid(payload) is (answer is not None)
    if answer is not None:
        assert model.card is not None
        assert Draft202012Validator(prediction_schema(model.card)).is_valid(answer)


def test_every_model_accepts_its_own_example(models: ModelRepository):
    for model in models.models:
        assert model.card is not None
        for schema in (row_schema(model), payload_schema(model)):
            Draft202012Validator.check_schema(schema)
            assert Draft202012Validator(schema).is_valid(model.card.example), model.id
        answer = model.predict([model.card.example] * 2)
        assert Draft202012Validator(prediction_schema(model.card)).is_valid(answer), model.id


def test_without_a_card_nothing_is_known():
    path = Path(default_models_dir()) / "identity" / "1" / "model.onnx"
    model = Model("identity", "1", path, None)
    assert row_schema(model) == payload_schema(model) == {}
