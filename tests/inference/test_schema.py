"""The schema accepts only values that the card allows, and reports every other value."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.inference import Card, InputSchema, InvalidFeatures, InvalidInput, MissingFeatures
from wsgi_core.inference.card import FLOAT32_MAX
from wsgi_core.inference.schema import MAX_NAMED


def make_card() -> Card:
    feature = {"description": "", "dtype": "float32", "kind": "number"}
    return Card.model_validate_json(
        json.dumps(
            {
                "name": "demo",
                "description": "",
                "input": {"tensor": "x"},
                "output": {"name": "y", "tensor": "y"},
                "features": [
                    {**feature, "name": "age", "unit": "years", "min": 0, "max": 120, "example": 30},
                    {**feature, "name": "free", "example": 0},
                    {**feature, "name": "flag", "kind": "choice", "allowed": [0, 1], "example": 1},
                ],
            }
        )
    )


SCHEMA = InputSchema(make_card(), max_rows=50)
GOOD = {"age": 30, "free": -1.5, "flag": 1}

LETTERS = "ab1é"


JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(LETTERS, max_size=3),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(LETTERS, max_size=2), st.integers(), max_size=2),
    st.sampled_from([0, 1, 0.0, 1.0, 120, 120.5, FLOAT32_MAX, FLOAT32_MAX * 1.01, 10**400]),
)
ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys((*GOOD, "extra"), JSON_VALUES))


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX


def wrong_fields(row: dict[str, Any]) -> set[str]:
    """Return the invalid fields of a row, computed by a simple and slow implementation of the schema."""
    fine = {"age": lambda v: number(v) and 0 <= v <= 120, "free": number, "flag": lambda v: number(v) and v in (0, 1)}
    return {name for name, check in fine.items() if not check(row[name])}


@given(ROWS)
def test_one_row_is_accepted_or_every_fault_is_named(row: dict[str, Any]) -> None:
    missing = [name for name in GOOD if name not in row]
    if missing:
        with pytest.raises(MissingFeatures) as caught:
            SCHEMA.read(row)
        assert caught.value.message == f"missing feature{'s' * (len(missing) > 1)}: {', '.join(missing)}"
        assert [field["field"] for field in caught.value.fields] == missing
    elif wrong := wrong_fields(row):
        with pytest.raises(InvalidFeatures) as invalid:
            SCHEMA.read(row)
        assert {field["field"] for field in invalid.value.fields} == wrong
        assert all(name in invalid.value.message for name in wrong)
    else:
        batch, is_batch = SCHEMA.read(row)
        assert batch.shape == (1, 3)
        assert np.isfinite(batch).all()
        assert not is_batch


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "age": st.floats(0, 120),
                "free": st.floats(width=32, allow_nan=False, allow_infinity=False),
                "flag": st.sampled_from([0, 1]),
            }
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_batch_keeps_the_order_of_rows_and_features(rows: list[dict[str, float]]) -> None:
    expected = np.array([[row["age"], row["free"], row["flag"]] for row in rows], np.float32)
    for payload in (rows, {"instances": rows}):
        batch, is_batch = SCHEMA.read(payload)
        assert is_batch
        assert batch.dtype == np.float32
        assert batch.flags["C_CONTIGUOUS"]
        np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "true"),
        (False, "false"),
        ("12", "a string"),
        (None, "null"),
        ([30], "a list"),
        ({}, "an object"),
        (-1, "-1"),
        (120.5, "120.5"),
        (math.inf, "a number too large for a float32"),
        (10**400, "a number too large for a float32"),
        (-(10**400), "a number too large for a float32"),
    ],
)
def test_says_what_is_expected_and_what_came(value: object, said: str) -> None:
    with pytest.raises(InvalidFeatures) as caught:
        SCHEMA.read({**GOOD, "age": value})
    expected = f"must be a number from 0 to 120 (years), got {said}"
    assert caught.value.message == f"invalid feature: age {expected}"
    assert caught.value.fields == [{"field": "age", "message": expected}]


def test_true_is_no_flag() -> None:
    with pytest.raises(InvalidFeatures, match="flag must be 0 or 1, got true"):
        SCHEMA.read({**GOOD, "flag": True})


def test_a_choice_takes_its_values_and_nothing_between() -> None:
    assert SCHEMA.read({**GOOD, "flag": 1.0})[0][0, 2] == 1
    with pytest.raises(InvalidFeatures, match=r"flag must be 0 or 1, got 0\.5"):
        SCHEMA.read({**GOOD, "flag": 0.5})


def test_missing_comes_before_invalid() -> None:
    with pytest.raises(MissingFeatures) as caught:
        SCHEMA.read([{**GOOD, "age": "x"}, {"age": 1}])
    assert caught.value.message == "missing features: [1].free, [1].flag"


def test_faults_in_a_batch_say_which_row() -> None:
    with pytest.raises(InvalidFeatures) as caught:
        SCHEMA.read({"instances": [GOOD, {**GOOD, "age": None}]})
    assert caught.value.fields[0]["field"] == "instances[1].age"


def test_unknown_keys_are_ignored() -> None:
    np.testing.assert_array_equal(SCHEMA.read({**GOOD, "customer": "x"})[0], SCHEMA.read(GOOD)[0])


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "expected an object or a list of objects, got null"),
        ("x", "expected an object or a list of objects, got a string"),
        (1, "expected an object or a list of objects, got 1"),
        ([], "expected 1 to 50 rows, got 0"),
        ({"instances": []}, "expected 1 to 50 rows, got 0"),
        ({"instances": {}}, "instances must be a list of objects, got an object"),
        ([GOOD, 5], "[1] must be an object of features, got 5"),
        ({"instances": [[1, 2]]}, "instances[0] must be an object of features, got a list"),
        ([GOOD] * 51, "expected 1 to 50 rows, got 51"),
    ],
)
def test_refuses_what_is_neither_a_row_nor_a_batch(payload: object, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SCHEMA.read(payload)
    assert caught.value.message == message
    assert caught.value.fields == []


def test_the_largest_batch_is_taken() -> None:
    assert SCHEMA.read([GOOD] * 50)[0].shape == (50, 3)


def test_very_many_faults_are_counted_not_echoed() -> None:
    with pytest.raises(InvalidFeatures) as caught:
        SCHEMA.read([dict.fromkeys(GOOD, "x")] * 50)
    assert len(caught.value.fields) == MAX_NAMED
    assert caught.value.message.endswith(", and 50 more")
    with pytest.raises(MissingFeatures, match=r"and 50 more$"):
        SCHEMA.read([{}] * 50)
