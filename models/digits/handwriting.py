"""Pictures that train the digits model: digits drawn with a simulated pen, and transformed digits of a data set.

The data set is scikit-learn's 1,797 handwritten digits. The data set lacks some common ways to write a digit, such as
an 8 of two circles. A stroke is a line that the pen draws without a stop. Each digit is drawn in several ways, with
random changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHEET = 48
"""The height and width of a picture, in pixels."""
MARGIN = 5
"""The width of the empty margin of a picture, in pixels."""
PENS = (2.0, 8.0)
"""The smallest and the largest diameter of the pen, in pixels."""
SEGMENTS = 6
"""The number of straight segments that approximate the curve between two points."""
ROTATION, SLANT, JITTER, SHIFT = 0.12, 0.12, 0.03, 0.02
"""Standard deviations of the random changes of a digit.

ROTATION is in radians. SLANT is the horizontal shift divided by the height. JITTER shifts a point and SHIFT shifts a
stroke, both in the coordinates of `WAYS`.
"""

Floats = NDArray[np.float64]
Points = list[tuple[float, float]]


def _oval(x: float, y: float, width: float, height: float, start: float = -90, sweep: float = 360) -> Points:
    """Return nine points on an ellipse around (x, y), with the semi-axes `width` and `height`.

    The points go counterclockwise from the angle `start` over `sweep` degrees. The angle -90 is the top.
    """
    angles = np.radians(np.linspace(start, start - sweep, 9))
    return [(x + width * float(np.cos(angle)), y + height * float(np.sin(angle))) for angle in angles]


def _straight(*points: tuple[float, float]) -> Points:
    """Return each point twice, which makes a corner in the curve of `smooth`."""
    return [point for point in points for _ in range(2)]


# The ways to write each digit: a way is a list of strokes, and a stroke is a list of points. The point (0, 0) is the
# top left, and (1, 1) is the bottom right.
WAYS: dict[int, list[list[Points]]] = {
    0: [
        [_oval(0.5, 0.5, 0.45, 0.5)],
        [_oval(0.5, 0.5, 0.32, 0.5)],
        [_oval(0.5, 0.5, 0.42, 0.5, -60, 390)],
    ],
    1: [
        [_straight((0.5, 0), (0.5, 1))],
        [_straight((0.25, 0.28), (0.55, 0), (0.55, 1))],
        [_straight((0.05, 0.35), (0.6, 0), (0.6, 1))],
        [_straight((0.25, 0.28), (0.55, 0), (0.55, 1)), _straight((0.25, 1), (0.85, 1))],
        [_straight((0.6, 0), (0.4, 1))],
        [_straight((0.3, 0.15), (0.5, 0), (0.5, 1))],
    ],
    2: [
        [
            [(0.1, 0.28), (0.2, 0.07), (0.5, 0), (0.82, 0.1), (0.88, 0.3), (0.7, 0.55), (0.4, 0.78),
             *_straight((0.1, 1), (0.95, 1))]
        ],
        [
            [(0.1, 0.2), (0.45, 0), (0.85, 0.2), (0.7, 0.55), (0.3, 0.85), (0.1, 0.95), (0.2, 0.8), (0.45, 0.88),
             (0.7, 1), (0.95, 0.92)]
        ],
        [_straight((0.1, 0.03), (0.8, 0.03), (0.1, 1), (0.95, 1))],
    ],
    3: [
        [
            [(0.1, 0.1), (0.5, 0), (0.85, 0.2), (0.7, 0.42), *_straight((0.4, 0.48)), (0.8, 0.58), (0.9, 0.8),
             (0.55, 1), (0.1, 0.9)]
        ],
        [[*_straight((0.1, 0), (0.85, 0), (0.45, 0.42)), (0.8, 0.52), (0.9, 0.75), (0.55, 1), (0.1, 0.9)]],
        [[(0.15, 0.15), (0.5, 0), (0.8, 0.22), (0.5, 0.45), (0.55, 0.47), (0.85, 0.72), (0.5, 1), (0.1, 0.85)]],
    ],
    4: [
        [_straight((0.55, 0), (0.05, 0.65), (0.95, 0.65)), _straight((0.65, 0.35), (0.65, 1))],
        [_straight((0.2, 0), (0.15, 0.55), (0.9, 0.55)), _straight((0.75, 0), (0.75, 1))],
        [_straight((0.95, 0.65), (0.05, 0.65), (0.65, 0), (0.65, 1))],
        [_straight((0.15, 0.05), (0.1, 0.5), (0.8, 0.5)), _straight((0.8, 0.1), (0.75, 1))],
    ],
    5: [
        [[*_straight((0.85, 0), (0.2, 0), (0.15, 0.45)), (0.55, 0.38), (0.9, 0.6), (0.8, 0.9), (0.45, 1), (0.1, 0.9)]],
        [
            [*_straight((0.2, 0), (0.18, 0.42)), (0.6, 0.4), (0.9, 0.68), (0.6, 0.98), (0.1, 0.93)],
            _straight((0.2, 0), (0.9, 0.02)),
        ],
        [
            [(0.9, 0.03), (0.5, 0.02), (0.25, 0.1), (0.2, 0.4), (0.55, 0.45), (0.85, 0.7), (0.6, 1), (0.1, 0.93)]
        ],
    ],
    6: [
        [
            [(0.75, 0), (0.4, 0.2), (0.12, 0.6), (0.2, 0.92), (0.5, 1), (0.82, 0.88), (0.85, 0.66), (0.55, 0.5),
             (0.2, 0.64)]
        ],
        [[(0.3, 0), (0.15, 0.4), (0.12, 0.75), (0.35, 1), (0.75, 0.95), (0.85, 0.7), (0.6, 0.52), (0.15, 0.68)]],
        [
            [(0.85, 0.1), (0.6, 0), (0.25, 0.2), (0.1, 0.6), (0.25, 0.95), (0.6, 1), (0.85, 0.78), (0.65, 0.55),
             (0.35, 0.58), (0.15, 0.75)]
        ],
    ],
    7: [
        [_straight((0.1, 0), (0.9, 0), (0.4, 1))],
        [[*_straight((0.1, 0), (0.9, 0)), (0.6, 0.45), (0.4, 1)]],
        [_straight((0.1, 0), (0.9, 0), (0.4, 1)), _straight((0.3, 0.5), (0.85, 0.5))],
        [[*_straight((0.1, 0.15), (0.12, 0), (0.9, 0.02)), (0.55, 0.5), (0.45, 1)]],
    ],
    8: [
        [_oval(0.5, 0.25, 0.32, 0.25), _oval(0.5, 0.74, 0.4, 0.26)],
        [_oval(0.5, 0.23, 0.3, 0.23, 90), _oval(0.5, 0.73, 0.36, 0.27)],
        [_oval(0.5, 0.25, 0.36, 0.25), _oval(0.5, 0.75, 0.36, 0.25)],
        [
            [(0.8, 0.12), (0.5, 0), (0.2, 0.15), (0.3, 0.38), (0.7, 0.6), (0.82, 0.82), (0.5, 1), (0.18, 0.82),
             (0.3, 0.6), (0.7, 0.38), (0.8, 0.15)]
        ],
        [
            [(0.5, 0.48), (0.2, 0.25), (0.5, 0), (0.8, 0.25), (0.5, 0.48), (0.15, 0.75), (0.5, 1), (0.85, 0.75),
             (0.5, 0.48)]
        ],
        [
            [(0.85, 0.1), (0.45, 0), (0.2, 0.2), (0.5, 0.47), (0.82, 0.75), (0.5, 1), (0.2, 0.78), (0.5, 0.5),
             (0.9, 0.05)]
        ],
    ],
    9: [
        [
            [(0.85, 0.2), (0.55, 0), (0.2, 0.12), (0.15, 0.35), (0.45, 0.5), (0.8, 0.35),
             *_straight((0.85, 0.15), (0.8, 1))]
        ],
        [_oval(0.5, 0.27, 0.35, 0.27, 0), _straight((0.85, 0.2), (0.8, 1))],
        [
            [(0.85, 0.2), (0.5, 0), (0.15, 0.22), (0.4, 0.48), (0.82, 0.3), (0.85, 0.2), (0.85, 0.6), (0.7, 0.92),
             (0.3, 1)]
        ],
        [[(0.85, 0.22), (0.5, 0), (0.18, 0.25), (0.5, 0.5), (0.85, 0.22), (0.65, 0.65), (0.5, 1)]],
        [[*_oval(0.5, 0.27, 0.35, 0.27, 0), (0.85, 0.5), (0.75, 0.85), (0.45, 1), (0.15, 0.9)]],
    ],
}  # fmt: skip


def draw(digit: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw `digit` in one of its `WAYS`, with a pen of random thickness, and return the picture. True is ink."""
    way = WAYS[digit][rng.integers(len(WAYS[digit]))]
    matrix = _slant(rng, rng.uniform(0.5, 0.85))
    strokes = [smooth(_jittered(stroke, rng)) @ matrix.T for stroke in way]
    pen = rng.uniform(*PENS)
    corners = np.vstack(strokes)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = (SHEET - 2 * MARGIN) / (high - low).max()
    return ink([(stroke - low) * scale + MARGIN for stroke in strokes], pen)


def _slant(rng: np.random.Generator, width: float) -> Floats:
    """Return the matrix that makes a digit `width` times as wide, then slants and rotates the digit at random."""
    turn, slant = rng.normal(0, ROTATION), rng.normal(0, SLANT)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    slanted: Floats = turned @ np.array([[width, slant], [0.0, 1.0]])
    return slanted


def _jittered(stroke: Points, rng: np.random.Generator) -> Floats:
    """Shift the whole stroke at random, then each of its points. Equal points stay equal, so corners stay corners."""
    places: dict[tuple[float, float], Floats] = {}
    moved = rng.normal(0, SHIFT, 2)
    for point in stroke:
        if point not in places:
            places[point] = np.array(point) + moved + rng.normal(0, JITTER, 2)
    return np.array([places[point] for point in stroke])


def smooth(points: Floats) -> Floats:
    """Return points on the Catmull-Rom curve through `points`: float64[N, 2] to float64[M, 2]."""
    padded = np.vstack([points[:1], points, points[-1:]])
    at = np.linspace(0, 1, SEGMENTS, endpoint=False)[:, None]
    curve = []
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        if not np.array_equal(start, end):
            bend = 2 * before - 5 * start + 4 * end - after
            twist = 3 * start - before - 3 * end + after
            curve.append((2 * start + (end - before) * at + bend * at**2 + twist * at**3) / 2)
    return np.vstack([*curve, padded[-1:]])


def ink(strokes: Sequence[Floats], pen: float, side: int = SHEET) -> NDArray[np.bool_]:
    """Return the pixels that a round pen of the diameter `pen` passes over. The picture has `side` by `side` pixels."""
    down, right = np.mgrid[0:side, 0:side] + 0.5
    inked = np.zeros(side * side, np.bool_)
    for stroke in strokes:
        start, step = stroke[:-1], np.diff(stroke, axis=0)
        x, y = right.reshape(-1, 1) - start[:, 0], down.reshape(-1, 1) - start[:, 1]
        length = np.maximum((step**2).sum(axis=1), 1e-9)
        along = np.clip((x * step[:, 0] + y * step[:, 1]) / length, 0, 1)
        distance = (x - along * step[:, 0]) ** 2 + (y - along * step[:, 1]) ** 2
        inked |= distance.min(axis=1) <= (pen / 2) ** 2
    return inked.reshape(side, side)


def transform(pixels: NDArray[np.float32], rng: np.random.Generator) -> Floats:
    """Enlarge a digit of the data set, float32[64], to `SHEET` by `SHEET` pixels, rotated and slanted at random."""
    inverse = np.linalg.inv(_slant(rng, rng.uniform(0.8, 1.25)))
    # The picture shows 12 by 12 pixels of the source, because a rotated digit can be larger than 8 by 8.
    down, right = (np.mgrid[0:SHEET, 0:SHEET] + 0.5) / SHEET * 12 - 6
    x = np.clip(inverse[0, 0] * right + inverse[0, 1] * down + 5.5, 0, 10.99)
    y = np.clip(inverse[1, 0] * right + inverse[1, 1] * down + 5.5, 0, 10.99)
    source = np.pad(pixels.reshape(8, 8).astype(np.float64), 2)
    left, top = x.astype(int), y.astype(int)
    across, below = x - left, y - top
    upper = source[top, left] * (1 - across) + source[top, left + 1] * across
    lower = source[top + 1, left] * (1 - across) + source[top + 1, left + 1] * across
    picture: Floats = upper * (1 - below) + lower * below
    return picture
