"""A drawing of any size, position and colour is recognised. Other input is rejected with the reason."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from tests.drawings import ONE, ZERO
from wsgi_core.inference import InputError, InvalidFeatures, InvalidInput, Model, ModelRepository
from wsgi_core.inference.digits import MAX_JSON_SIDE, MAX_SIDE, prepare_drawing, read_drawing, recognise


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
    with pytest.raises(InvalidFeatures, match="is empty"):
        recognise(digits, {"drawing": drawing})


def test_a_model_for_something_else_is_not_asked(models: ModelRepository) -> None:
    for name in ("churn", "identity", "sentiment"):
        with pytest.raises(InputError, match="8 by 8"):
            recognise(models.get(name), {"drawing": ONE})


# Drawings become 64 numbers.


def ring(size: int, top: int = 0, left: int = 0, sheet: int = 400) -> Any:
    """Return the image of a zero with the height `size`, at `top` and `left`."""
    down, right = np.mgrid[0:size, 0:size] / size * 2 - 1
    distance = np.hypot(down, right * 1.5)
    drawing = np.zeros((sheet, sheet), np.uint8)
    drawing[top : top + size, left : left + size] = (distance <= 1) & (distance > 0.65)
    return drawing * 255


def test_place_and_colours_do_not_matter() -> None:
    expected = prepare_drawing(ring(96))
    assert expected.shape == (1, 64)
    assert expected.dtype == np.float32
    for other in (ring(96, 300, 10), 255 - ring(96, 7, 200), ring(96) > 0, ring(96) / 255.0, ring(96, 1, 1) * -3.0):
        np.testing.assert_array_equal(prepare_drawing(other), expected)


def test_size_matters_little() -> None:
    expected = prepare_drawing(ring(320))
    for size in (32, 50, 64, 111, 200):
        np.testing.assert_allclose(prepare_drawing(ring(size)), expected, atol=0.4)
        assert np.abs(prepare_drawing(ring(size)) - expected).mean() < 0.08


def test_strokes_become_as_wide_as_in_the_data() -> None:
    drawing = np.zeros((200, 200))
    drawing[20:180, 60:63] = 1  # with the horizontal stroke, a thin L
    drawing[177:180, 60:140] = 1
    assert 0.2 < prepare_drawing(drawing).mean() < 0.4


def test_a_digit_is_centred_and_fills_the_height() -> None:
    pixels = prepare_drawing(ring(64)).reshape(8, 8)
    assert pixels[0].any()
    assert pixels[7].any()
    np.testing.assert_allclose(pixels, pixels[:, ::-1], atol=0.2)


@pytest.mark.parametrize("drawing", [np.eye(1, 9), np.eye(9, 1), np.eye(2), np.tri(3, 300), np.tri(300, 3)])
def test_odd_shapes_have_pixels_too(drawing: Any) -> None:
    pixels = prepare_drawing(drawing)
    assert 0 < pixels.max() <= 1


@pytest.mark.parametrize(
    "drawing",
    [
        np.zeros((9, 9)),
        np.ones((9, 9)),
        np.zeros((0, 9)),
        np.zeros(9),
        np.zeros((3, 3, 3)),
        np.full((3, 3), np.nan),
        np.array([[1, np.inf]]),
        np.array([["a", "b"]]),
        np.zeros((1, MAX_SIDE + 1)),
    ],
)
def test_what_shows_nothing_is_refused(drawing: Any) -> None:
    with pytest.raises(InvalidFeatures, match="the drawing") as caught:
        prepare_drawing(drawing)
    assert caught.value.fields[0]["field"] == "drawing"


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_any_scribble_gives_pixels_or_is_refused(drawing: Any) -> None:
    try:
        pixels = prepare_drawing(drawing)
    except InvalidFeatures:
        assert drawing.min() == drawing.max()
    else:
        assert 0 <= pixels.min() <= pixels.max() <= 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"pixels": [0] * 63}, "pixels must be a list of 64 numbers from 0 to 1, got a list of 63 values"),
        ({"pixels": [0] * 63 + [16]}, "got a list of 64 values"),
        ({"pixels": [0] * 63 + [True]}, "got a list of 64 values"),
        ({"pixels": [0] * 63 + [None]}, "got a list of 64 values"),
        ({"pixels": [[0] * 8] * 8}, "got a list of 8 values"),
        ({"pixels": "0" * 64}, "got a string"),
        ([{"pixels": [0.5] * 64}, {"pixels": 1}], "[1].pixels must be"),
    ],
)
def test_pixels_are_checked(payload: object, said: str) -> None:
    with pytest.raises(InvalidFeatures) as caught:
        ModelRepository().get("digits").predict(payload)
    assert said in caught.value.message
