"""A drawing that comes as JSON is recognised, and what is none is refused with what is wrong about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.drawings import ONE, ZERO
from wsgi_core.inference import InputError, InvalidFeatures, InvalidInput, Model, ModelRepository
from wsgi_core.inference.digits import MAX_JSON_SIDE, read_drawing, recognise


@pytest.fixture(scope="module")
def models() -> ModelRepository:
    return ModelRepository()


@pytest.fixture(scope="module")
def digits(models: ModelRepository) -> Model:
    return models.get("digits")


@pytest.mark.parametrize(("drawing", "digit"), [(ONE, 1), (ZERO, 0)])
def test_a_drawing_is_recognised(digits: Model, drawing: Any, digit: int) -> None:
    answer = recognise(digits, {"drawing": drawing})
    assert answer["digit"] == digit
    assert answer["model_version"] == digits.id
    assert len(answer["pixels"]) == 64
    assert np.argmax(answer["probabilities"]) == digit
    assert recognise(digits, {"drawing": (255 - np.array(drawing)).tolist()}) == answer


@pytest.mark.parametrize("payload", [None, [], 7, {}, {"pixels": ONE}, [ONE]])
def test_without_a_drawing_the_input_is_invalid(payload: Any) -> None:
    with pytest.raises(InvalidInput, match="drawing"):
        read_drawing(payload)


@pytest.mark.parametrize(
    "drawing",
    [
        None, 7, "x", {}, [], [[]], [1, 2], [[1], [1, 2]], [[1], 2], [[True]], [[None]], [["1"]], [[[1]]], [[-1]],
        [[256]], [[1e400]], [[10**400]], [[0]] * (MAX_JSON_SIDE + 1), [[0] * (MAX_JSON_SIDE + 1)],
    ],
)  # fmt: skip
def test_what_is_no_drawing_is_refused_by_its_field(drawing: Any) -> None:
    with pytest.raises(InvalidFeatures) as raised:
        read_drawing({"drawing": drawing})
    assert raised.value.fields[0]["field"] == "drawing"


def test_the_largest_drawing_is_read() -> None:
    assert read_drawing({"drawing": [[0.5] * MAX_JSON_SIDE] * MAX_JSON_SIDE}).shape == (MAX_JSON_SIDE, MAX_JSON_SIDE)


@pytest.mark.parametrize("drawing", [[[7]], [[0, 0], [0, 0]]])
def test_a_drawing_without_ink_is_refused(digits: Model, drawing: Any) -> None:
    with pytest.raises(InvalidFeatures, match="shows nothing"):
        recognise(digits, {"drawing": drawing})


def test_a_model_for_something_else_is_not_asked(models: ModelRepository) -> None:
    for name in ("churn", "identity", "sentiment"):
        with pytest.raises(InputError, match="8 by 8"):
            recognise(models.get(name), {"drawing": ONE})
