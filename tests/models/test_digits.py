"""The digits model says what scikit-learn says, on the data and on drawings that were made to look like it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.scripts import (
    MODELS,
    assert_training_gives_the_committed_bytes,
    committed_files,
    load_script,
    read_card,
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


@pytest.mark.long
def test_agrees_with_the_original_library_on_the_held_out_digits(script: ModuleType, rows: Any, digits: Model) -> None:
    original = script.fit(rows).predict_proba(rows.x_test)
    assert len(original) == CARD["evaluation"]["rows"] == 360
    np.testing.assert_allclose(digits.run(rows.x_test), original, rtol=0, atol=1e-5)


def test_the_cards_figures_are_those_of_the_committed_file(script: ModuleType, rows: Any, digits: Model) -> None:
    measured = script.scores(rows.y_test, digits.run(rows.x_test))
    assert measured == pytest.approx(CARD["evaluation"]["model"], abs=1e-4)
    assert measured["accuracy"] > 0.97 > CARD["evaluation"]["baseline_commonest_digit"]["accuracy"]


def test_held_out_digits_pass_the_card_and_get_the_same_answer(rows: Any, digits: Model) -> None:
    assert digits.card is not None
    answers = digits.predict([{"pixels": pixels} for pixels in rows.x_test.astype(float).tolist()])["predictions"]
    assert answers == digits.run(rows.x_test).tolist()
    labels = [int(digits.card.output.label(answer)) for answer in answers]
    assert np.mean(labels == rows.y_test) == pytest.approx(CARD["evaluation"]["model"]["accuracy"], abs=1e-4)


def enlarge(pixels: Any, side: int) -> Any:
    """8 by 8 pixels as a smooth picture of `side` by `side`."""
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
    assert right / 200 > 0.88


STROKES: list[list[list[tuple[float, float]]]] = [
    [[(0.5, 0), (0.15, 0.2), (0.05, 0.5), (0.15, 0.8), (0.5, 1), (0.85, 0.8), (0.95, 0.5), (0.85, 0.2), (0.5, 0)]],
    [[(0.3, 0.25), (0.5, 0), (0.5, 1)]],
    [[(0.1, 0.25), (0.3, 0), (0.7, 0), (0.9, 0.25), (0.8, 0.5), (0.1, 1), (0.95, 1)]],
    [[(0.1, 0.1), (0.5, 0), (0.85, 0.2), (0.75, 0.42), (0.4, 0.48), (0.8, 0.58), (0.9, 0.8), (0.55, 1), (0.1, 0.9)]],
    [[(0.6, 0), (0.05, 0.65), (0.95, 0.65)], [(0.65, 0.35), (0.65, 1)]],
    [[(0.9, 0), (0.2, 0), (0.15, 0.45), (0.55, 0.4), (0.9, 0.6), (0.85, 0.88), (0.5, 1), (0.1, 0.92)]],
    [[(0.7, 0), (0.35, 0.25), (0.12, 0.6), (0.2, 0.92), (0.5, 1), (0.8, 0.9), (0.85, 0.65), (0.55, 0.5), (0.2, 0.62)]],
    [[(0.1, 0), (0.9, 0), (0.6, 0.45), (0.4, 1)]],
    [
        [(0.5, 0), (0.2, 0.12), (0.25, 0.35), (0.5, 0.48), (0.8, 0.65), (0.8, 0.9), (0.5, 1), (0.2, 0.9)],
        [(0.2, 0.9), (0.2, 0.65), (0.5, 0.48), (0.78, 0.33), (0.78, 0.1), (0.5, 0)],
    ],
    [[(0.85, 0.2), (0.55, 0), (0.2, 0.12), (0.15, 0.35), (0.4, 0.5), (0.75, 0.42), (0.85, 0.2), (0.8, 0.6), (0.65, 1)]],
]


def draw(digit: int, pen: float, height: int) -> Any:
    """A digit drawn with a round pen on a sheet of 140 by 140, as a person might on a phone."""
    down, right = np.mgrid[0:140, 0:140]
    sheet = np.zeros((140, 140), np.uint8)
    for stroke in STROKES[digit]:
        corners = np.array(stroke) * [0.65 * height, height] + [20, 25]
        for start, end in pairwise(corners):
            for x, y in np.linspace(start, end, int(np.abs(end - start).max()) + 2):
                sheet[(right - x) ** 2 + (down - y) ** 2 <= (pen / 2) ** 2] = 255
    return sheet


def test_drawn_digits_are_known_with_a_thin_and_a_thick_pen(digits: Model) -> None:
    tries = [(digit, pen, height) for digit in range(10) for pen in (3, 7, 12) for height in (50, 100)]
    right = [digits.run(prepare_drawing(draw(*each)))[0].argmax() == each[0] for each in tries]
    assert np.mean(right) > 0.85


@pytest.mark.long
def test_training_again_gives_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    assert_training_gives_the_committed_bytes("digits", script, tmp_path)


def test_no_rows_are_committed() -> None:
    assert {path.name for path in committed_files("digits")} == {"model.onnx", "card.json", "train.py"}
    assert (MODELS / "digits" / "1" / "model.onnx").stat().st_size < 100_000
