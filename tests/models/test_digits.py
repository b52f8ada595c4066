"""The digits model predicts the same as scikit-learn, on the data set and on synthetic drawings."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.drawings import DRAWN
from tests.models.scripts import (
    MODELS,
    assert_training_gives_the_committed_bytes,
    committed_files,
    load_script,
    read_card,
    same_cpu,
)
from wsgi_core.inference import Model, ModelRepository
from wsgi_core.inference.digits import prepare_drawing

CARD = read_card("digits")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("digits")


@pytest.fixture(scope="module")
def rows(script: ModuleType) -> Any:
    return script.split_rows()


@pytest.fixture(scope="module")
def digits() -> Model:
    return ModelRepository(MODELS).get("digits")


@same_cpu
@pytest.mark.long
def test_agrees_with_the_original_library_on_the_held_out_digits(script: ModuleType, rows: Any, digits: Model) -> None:
    original = script.fit(script.augment(rows)).predict_proba(rows.x_test)
    assert len(original) == CARD["evaluation"]["rows"] == 360
    np.testing.assert_allclose(digits.run(rows.x_test), original, rtol=0, atol=1e-5)


def test_the_cards_figures_are_those_of_the_committed_file(script: ModuleType, rows: Any, digits: Model) -> None:
    measured = script.scores(rows.y_test, digits.run(rows.x_test))
    assert measured == pytest.approx(CARD["evaluation"]["model"], abs=1e-4)
    assert measured["accuracy"] > 0.98 > CARD["evaluation"]["baseline_commonest_digit"]["accuracy"]


def test_held_out_digits_pass_the_card_and_get_the_same_answer(rows: Any, digits: Model) -> None:
    assert digits.card is not None
    answers = digits.predict([{"pixels": pixels} for pixels in rows.x_test.astype(float).tolist()])["predictions"]
    assert answers == digits.run(rows.x_test).tolist()
    labels = [int(digits.card.output.label(answer)) for answer in answers]
    assert np.mean(labels == rows.y_test) == pytest.approx(CARD["evaluation"]["model"]["accuracy"], abs=1e-4)


def enlarge(pixels: Any, side: int) -> Any:
    """Return a smooth enlargement of 8 by 8 pixels to `side` by `side`."""
    at = (np.arange(side) + 0.5) * 8 / side - 0.5
    lower = np.clip(np.floor(at).astype(int), 0, 6)
    share = np.clip(at - lower, 0, 1)[:, None]
    rows = pixels[lower] * (1 - share) + pixels[lower + 1] * share
    return (rows[:, lower].T * (1 - share) + rows[:, lower + 1].T * share).T


@pytest.mark.parametrize("invert", [False, True])
def test_held_out_digits_are_known_again_somewhere_in_a_larger_picture(rows: Any, digits: Model, invert: bool) -> None:
    right = 0
    for pixels, digit in zip(rows.x_test[:200], rows.y_test, strict=False):
        drawing = np.pad(enlarge(pixels.reshape(8, 8), 120) * 255, ((40, 5), (3, 90))).astype(np.uint8)
        right += digits.run(prepare_drawing(255 - drawing if invert else drawing))[0].argmax() == digit
    assert right / 200 > 0.95


def draw(strokes: list[list[tuple[float, float]]], pen: float, height: int) -> Any:
    """Return an image of 140 by 140 pixels with strokes of a round pen, as on a phone."""
    down, right = np.mgrid[0:140, 0:140]
    sheet = np.zeros((140, 140), np.uint8)
    for stroke in strokes:
        corners = np.array(stroke) * [0.65 * height, height] + [20, 25]
        for start, end in pairwise(corners):
            for x, y in np.linspace(start, end, int(np.abs(end - start).max()) + 2):
                sheet[(right - x) ** 2 + (down - y) ** 2 <= (pen / 2) ** 2] = 255
    return sheet


@pytest.mark.parametrize(("digit", "strokes"), DRAWN)
def test_a_clearly_drawn_digit_is_known_with_a_thin_and_a_thick_pen(digits: Model, digit: int, strokes: Any) -> None:
    for pen in (3, 7, 12):
        for height in (50, 100):
            (answer,) = digits.run(prepare_drawing(draw(strokes, pen, height)))
            assert answer.argmax() == digit, (pen, height)
            assert answer.max() >= CARD["output"]["sure_from"], (pen, height)


def test_the_threshold_is_that_of_the_held_out_drawings(script: ModuleType, rows: Any, digits: Model) -> None:
    rng = np.random.default_rng(script.SEED + 1)
    drawings = script.transform_rows(rows.x_test, script.TRANSFORMED_HELD_OUT, rng)
    y = np.tile(rows.y_test, script.TRANSFORMED_HELD_OUT)
    answers = digits.run(drawings)
    sure = answers.max(axis=1) >= (least := script.sure_from(y, answers))
    assert least == CARD["output"]["sure_from"]
    assert script.scores(y, answers) == pytest.approx(CARD["evaluation"]["drawings"]["model"], abs=1e-4)
    assert np.mean(answers[sure].argmax(axis=1) == y[sure]) >= script.SURE_ACCURACY
    assert np.mean(sure) == pytest.approx(CARD["evaluation"]["drawings"]["sure"]["share"], abs=1e-4)
    assert np.mean(sure) > 0.9


@same_cpu
@pytest.mark.long
def test_training_again_gives_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    assert_training_gives_the_committed_bytes("digits", script, tmp_path)


def test_no_rows_are_committed() -> None:
    assert {path.name for path in committed_files("digits")} == {
        "model.onnx",
        "card.json",
        "train.py",
        "handwriting.py",
    }
    assert (MODELS / "digits" / "1" / "model.onnx").stat().st_size < 100_000
