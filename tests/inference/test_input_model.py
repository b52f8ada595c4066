"""The Pydantic model accepts the same input as the fast schema, and reports all invalid fields."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tests.inference.test_schema import GOOD, LETTERS, ROWS, SCHEMA, make_card
from wsgi_core.inference import Card, InputError, InvalidFeatures, InvalidInput, Model, ModelRepository
from wsgi_core.inference.input_model import build_input_model, read_as, read_row

CARD = make_card()
INPUT_MODEL = build_input_model(CARD)


@pytest.fixture(scope="module")
def repository() -> ModelRepository:
    return ModelRepository()


def accepted(read: Any, payload: object) -> bool:
    try:
        read(payload)
    except InputError:
        return False
    return True


@given(row=ROWS)
def test_the_declared_type_and_the_fast_schema_agree(row: dict[str, Any]):
    row.pop("instances", None)
    assert accepted(lambda payload: read_row(CARD, INPUT_MODEL, payload), row) == accepted(SCHEMA.read, row)


@pytest.mark.parametrize("name", ["churn", "loan", "sentiment", "digits", "identity"])
def test_every_card_declares_a_type_that_takes_its_example(repository: ModelRepository, name: str):
    model = repository.get(name)
    assert model.card is not None
    assert model.input_type is not None
    row = model.read_row(model.card.example | {"beyond": [1]})
    assert row == model.card.example
    assert model.predict(row) == model.predict(model.card.example)


@pytest.mark.parametrize("name", ["churn", "loan", "sentiment", "digits"])
def test_what_is_one_step_beyond_is_refused_by_both(repository: ModelRepository, name: str):
    model = repository.get(name)
    assert model.card is not None
    assert model.schema is not None
    for source in model.card.sources:
        good = model.card.example[source.name]
        for bad in (None, True, "", "1" * 9999, [], [0.5] * 63, [2] * 64, [True] * 64, [[0]] * 64, {}, -1e300, 10**400):
            row = model.card.example | {source.name: bad}
            assert not accepted(model.read_row, row), (source.name, bad)
            assert not accepted(model.schema.read, row)
        assert accepted(model.read_row, model.card.example | {source.name: good})


def test_the_schema_tells_the_limits_of_the_card(repository: ModelRepository):
    model = repository.get("loan")
    assert model.input_type is not None
    schema = model.input_type.model_json_schema()
    assert schema["required"] == ["age", "income", "credit_score", "employment_years", "loan_amount"]
    age = schema["properties"]["age"]
    assert (age["type"], age["minimum"], age["maximum"], age["x-unit"]) == ("number", 18, 120, "years")
    flag = build_input_model(CARD).model_json_schema()["properties"]["flag"]
    assert (flag["type"], flag["enum"]) == ("number", [0, 1])


@given(row=ROWS)
def test_everything_wrong_is_named_once_in_the_cards_order(row: dict[str, Any]):
    wrong = [name for name in GOOD if not accepted(SCHEMA.read, {**GOOD, name: row[name]} if name in row else {})]
    try:
        read_row(CARD, INPUT_MODEL, row)
        fields = []
    except InvalidFeatures as error:
        fields = error.fields
        told = error.message
    assert [field["field"] for field in fields] == wrong
    for field in fields:
        assert (field["message"] == "is missing") == (field["field"] not in row)
        assert f"{field['field']} {field['message']}" in told


@pytest.mark.parametrize("payload", [None, [], [GOOD], "x", 1, True])
def test_what_is_no_object_is_said_of_the_body(payload: object):
    with pytest.raises(InvalidFeatures) as caught:
        read_row(CARD, INPUT_MODEL, payload)
    assert [field["field"] for field in caught.value.fields] == ["body"]


@given(name=st.text(LETTERS + "_0 .-", min_size=1, max_size=5).filter(lambda name: name != "instances"))
def test_features_may_have_any_name(name: str):
    document = CARD.model_dump(mode="json") | {"features": [CARD.features[0].model_dump(mode="json") | {"name": name}]}
    card = Card.model_validate_json(json.dumps(document))
    assert read_row(card, build_input_model(card), {name: 3}) == {name: 3.0}


def test_a_model_without_a_card_has_no_type(repository: ModelRepository):
    model = Model("bare", "1", repository.get("identity").path, None)
    assert model.input_type is None
    with pytest.raises(InvalidInput, match="no card"):
        model.read_row({})


def test_values_reach_the_model_as_the_fast_way_brings_them(repository: ModelRepository):
    model = repository.get("churn")
    assert model.schema is not None
    row = {
        "tenure_months": 7,
        "monthly_charges": 0.1,
        "total_charges": 3,
        "contract_month_to_month": 1.0,
        "has_fiber": 0,
    }
    np.testing.assert_array_equal(model.schema.read(row)[0], model.schema.read(model.read_row(row))[0])


class Pair(BaseModel):
    number: int = Field(ge=1, strict=True)
    words: list[str]


def test_any_pydantic_type_names_its_errors():
    assert read_as(Pair, {"number": 1, "words": ["a"]}) == Pair(number=1, words=["a"])
    with pytest.raises(InvalidFeatures) as caught:
        read_as(Pair, {"number": "1", "words": ["a", 2]})
    assert [field["field"] for field in caught.value.fields] == ["number", "words.1"]
    with pytest.raises(InvalidFeatures) as caught:
        read_as(Pair, [])
    assert [field["field"] for field in caught.value.fields] == ["body"]
