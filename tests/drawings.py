"""Digits as people draw them, for the tests of digit recognition."""

from __future__ import annotations

import math

import numpy as np


def picture(*bars: tuple[int, int, int, int]) -> list[list[int]]:
    """Return an image of 96 by 96 pixels with ink in the boxes ``bars`` (top, bottom, left, right)."""
    sheet = np.zeros((96, 96), int)
    for top, bottom, left, right in bars:
        sheet[top:bottom, left:right] = 255
    rows: list[list[int]] = sheet.tolist()
    return rows


ONE = picture((10, 80, 42, 52))
ZERO = picture((10, 20, 30, 66), (70, 80, 30, 66), (14, 76, 26, 36), (14, 76, 60, 70))

CIRCLE = [(0.5 + math.cos(turn / 8 * math.pi) / 2, math.sin(turn / 8 * math.pi) / 2 + 0.5) for turn in range(17)]
# Digits and their strokes, as people draw them on a phone. (0, 0) is the top left, (1, 1) the bottom right.
DRAWN: list[tuple[int, list[list[tuple[float, float]]]]] = [
    (0, [[(0.5, 0), (0.15, 0.2), (0.05, 0.5), (0.15, 0.8), (0.5, 1), (0.85, 0.8), (0.95, 0.5), (0.85, 0.2), (0.5, 0)]]),
    (1, [[(0.3, 0.25), (0.5, 0), (0.5, 1)]]),
    (2, [[(0.1, 0.25), (0.3, 0), (0.7, 0), (0.9, 0.25), (0.8, 0.5), (0.1, 1), (0.95, 1)]]),
    (3, [[(0.1, 0.1), (0.5, 0), (0.85, 0.2), (0.75, 0.42), (0.4, 0.48), (0.8, 0.58), (0.9, 0.8), (0.55, 1),
          (0.1, 0.9)]]),
    (4, [[(0.6, 0), (0.05, 0.65), (0.95, 0.65)], [(0.65, 0.35), (0.65, 1)]]),
    (5, [[(0.9, 0), (0.2, 0), (0.15, 0.45), (0.55, 0.4), (0.9, 0.6), (0.85, 0.88), (0.5, 1), (0.1, 0.92)]]),
    (6, [[(0.7, 0), (0.35, 0.25), (0.12, 0.6), (0.2, 0.92), (0.5, 1), (0.8, 0.9), (0.85, 0.65), (0.55, 0.5),
          (0.2, 0.62)]]),
    (7, [[(0.1, 0), (0.9, 0), (0.6, 0.45), (0.4, 1)]]),
    (8, [
        [(0.5, 0), (0.2, 0.12), (0.25, 0.35), (0.5, 0.48), (0.8, 0.65), (0.8, 0.9), (0.5, 1), (0.2, 0.9)],
        [(0.2, 0.9), (0.2, 0.65), (0.5, 0.48), (0.78, 0.33), (0.78, 0.1), (0.5, 0)],
    ]),
    (9, [[(0.85, 0.2), (0.55, 0), (0.2, 0.12), (0.15, 0.35), (0.4, 0.5), (0.75, 0.42), (0.85, 0.2), (0.8, 0.6),
          (0.65, 1)]]),
    (8, [[(0.2 + 0.6 * x, 0.5 * y) for x, y in CIRCLE], [(0.1 + 0.8 * x, 0.5 + 0.5 * y) for x, y in CIRCLE]]),
    (1, [[(0.2, 0.3), (0.55, 0), (0.55, 1)]]),
    (7, [[(0.1, 0), (0.9, 0), (0.45, 1)], [(0.3, 0.5), (0.85, 0.5)]]),
]  # fmt: skip
# A stroke that is not a digit.
SCRIBBLE = [(0.44, 0.57), (0.69, 0.87), (0.33, 0.62), (0.66, 0.33), (0.1, 0.88), (0.34, 0.35)]
