"""The conversion of a picture of a digit to the 8 by 8 pixels that the digits model takes.

The digits of the training data were scanned as bitmaps of 32 by 32 dots. Each dot is ink or paper, and each digit fills
the height of its bitmap. A pixel is the share of ink in a block of 4 by 4 dots. This module converts a picture in the
same steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import timing
from .card import Pixels, describe
from .errors import InvalidFeatures, InvalidInput

if TYPE_CHECKING:
    from .model import Model

SIDE = 32
"""The height and width of the bitmap, in dots."""
BLOCK = 4
"""The height and width of the block of dots that becomes one pixel."""
MAX_SIDE = 4096
"""The maximum height and width of a picture, in pixels."""
MAX_JSON_SIDE = 256
"""The maximum height and width of a picture in JSON, in pixels."""
WHITE = 255
"""The shade of white in JSON. The shade of black is 0."""

USUAL_INK = 0.3
"""The average share of ink in the bitmap of a training digit."""

CONTRAST = 0.35
"""A pixel is ink if its shade differs from the paper's shade by more than this share of the picture's range of
shades.
"""

MAX_WIDTH = 24
"""The maximum width of a scaled digit, in dots. In most training digits, the outermost columns of pixels are empty."""

Bitmap = NDArray[np.bool_]


def prepare_drawing(drawing: NDArray[np.generic]) -> NDArray[np.float32]:
    """Convert a picture of a digit, numbers[H, W], to the model's input: float32[1, 64] from 0 (paper) to 1 (ink).

    The digit may be dark on light or light on dark, and anywhere in the picture. Raises `InvalidFeatures` if the array
    does not have two dimensions of 1 to `MAX_SIDE`. Also raises `InvalidFeatures` if a number is not a finite float32,
    or if all pixels have the same shade.
    """
    ink = _find_ink(drawing)
    bitmap = _thicken(_centre(_scale(_crop(ink))))
    blocks = bitmap.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    pixels: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return pixels.reshape(1, -1)


def recognise(model: Model, payload: object) -> dict[str, Any]:
    """Recognise the digit in a JSON payload such as `{"drawing": [[0, 255, ...], ...]}`.

    The result has the keys `digit`, `sure`, `probabilities`, `pixels` and `model_version`. `sure` is true if the
    highest probability is at least `sure_from` in the card. `pixels` is the input of the model.

    Raises an `InputError` if the payload is not a valid drawing. Also raises an `InputError` if the model does not map
    8 by 8 pixels to a row of probabilities. Raises the errors of `Model.predict` if the run fails.
    """
    pixels, sure_from = _card_of(model)
    with timing.phase("validate"):
        seen = prepare_drawing(read_drawing(payload))[0].tolist()
    answer = model.predict({pixels.name: seen})
    (scores,) = (answer[name] for name in answer if name != "model_version")
    return {
        "digit": scores.index(max(scores)),
        "sure": max(scores) >= sure_from,
        "probabilities": scores,
        "pixels": seen,
        "model_version": answer["model_version"],
    }


def _card_of(model: Model) -> tuple[Pixels, float]:
    """Return `pixels` and `output.sure_from` of the model's card.

    Raises `InvalidInput` if the model does not map 8 by 8 pixels to a row of probabilities.
    """
    card = model.card
    side = SIDE // BLOCK
    if card and card.pixels and card.pixels.height == card.pixels.width == side and card.output.column is None:
        return card.pixels, card.output.sure_from
    raise InvalidInput(f"{model.id} does not map pictures of {side} by {side} pixels to a row of probabilities")


def read_drawing(payload: object) -> NDArray[np.generic]:
    """Return the drawing in a payload such as `{"drawing": [[0, 255, ...], ...]}` as shades, float32[H, W].

    Raises `InvalidInput` if the payload has no drawing. Raises `InvalidFeatures` if the drawing is not a list of rows
    of the same length, or if a side is 0 or above `MAX_JSON_SIDE`. Also raises `InvalidFeatures` if a shade is not a
    number from 0 to `WHITE`.
    """
    if not isinstance(payload, dict) or "drawing" not in payload:
        raise InvalidInput('expected an object with a "drawing"')
    rows = payload["drawing"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_JSON_SIDE:
        got = f"{len(rows)} rows" if isinstance(rows, list) else describe(rows)
        raise _refusal(f"must be a list of 1 to {MAX_JSON_SIDE} rows, got {got}")
    if not all(isinstance(row, list) and 1 <= len(row) == len(rows[0]) <= MAX_JSON_SIDE for row in rows):
        raise _refusal(f"must have rows of 1 to {MAX_JSON_SIDE} numbers, all of the same length")
    if not {type(shade) for row in rows for shade in row} <= {int, float}:
        raise _refusal("must consist of rows of numbers only")
    if min(map(min, rows)) < 0 or max(map(max, rows)) > WHITE:
        raise _refusal(f"must be rows of numbers from 0 to {WHITE}")
    return np.array(rows, np.float32)


def _find_ink(drawing: NDArray[np.generic]) -> Bitmap:
    """Return a mask that is True for ink.

    The shade of the paper is the lightest or the darkest shade, whichever is nearer to the median shade. Raises the
    errors of `prepare_drawing`.
    """
    if drawing.ndim != 2 or not drawing.size > 0 or max(drawing.shape) > MAX_SIDE or drawing.dtype.kind not in "biuf":
        raise _refusal(f"must be rows of numbers, at most {MAX_SIDE} pixels high and wide")
    numbers = drawing.astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    if not np.isfinite([low, high]).all() or low == high:
        raise _refusal("is empty: all pixels have the same shade")
    paper = low if np.median(numbers) <= (low + high) / 2 else high
    ink: Bitmap = np.abs(numbers - paper) > CONTRAST * (high - low)
    return ink


def _refusal(message: str) -> InvalidFeatures:
    return InvalidFeatures(f"the drawing {message}", [{"field": "drawing", "message": message}])


def _crop(ink: Bitmap) -> Bitmap:
    """Return the smallest rectangle of the picture that contains all ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale(ink: Bitmap) -> Bitmap:
    """Scale the digit to the height `SIDE`. Keep the proportions, but limit the width to `MAX_WIDTH`.

    A dot becomes ink if more than a third of its area is ink. With a higher threshold, thin strokes could be lost.
    """
    height, width = ink.shape
    wide = min(MAX_WIDTH, max(1, round(SIDE * width / height)))
    return _shares(_shares(ink.astype(np.float64), SIDE).T, wide).T > 1 / 3


def _shares(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Average the rows in `count` bands of equal height: float64[H, W] to float64[count, W].

    A band can contain fractions of rows.
    """
    sums = np.vstack([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
    edges = np.linspace(0, len(values), count + 1)
    whole = np.minimum(edges.astype(int), len(values) - 1)
    at_edges = sums[whole] + (edges - whole)[:, None] * values[whole]
    means: NDArray[np.float64] = np.diff(at_edges, axis=0) * (count / len(values))
    return means


def _centre(ink: Bitmap) -> Bitmap:
    """Place the digit in a bitmap of `SIDE` by `SIDE` dots.

    The horizontal centre of mass of the ink is in the middle, or as near to the middle as the digit's width allows.
    """
    bitmap = np.zeros((SIDE, SIDE), np.bool_)
    columns = ink.sum(axis=0)
    middle = float(columns @ (np.arange(len(columns)) + 0.5)) / max(1, int(columns.sum()))
    left = min(max(round(SIDE / 2 - middle), 0), SIDE - len(columns))
    bitmap[:, left : left + ink.shape[1]] = ink
    return bitmap


def _thicken(bitmap: Bitmap) -> Bitmap:
    """Widen the strokes by one dot on all sides, as long as this brings the share of ink closer to `USUAL_INK`."""
    while bitmap.any():
        wider = bitmap.copy()
        wider[1:] |= bitmap[:-1]
        wider[:-1] |= bitmap[1:]
        wider[:, 1:] |= bitmap[:, :-1]
        wider[:, :-1] |= bitmap[:, 1:]
        if abs(wider.mean() - USUAL_INK) >= abs(bitmap.mean() - USUAL_INK):
            break
        bitmap = wider
    return bitmap
