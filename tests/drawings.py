"""Digits as a person draws them, for the tests of what recognises them."""

from __future__ import annotations

import numpy as np


def picture(*bars: tuple[int, int, int, int]) -> list[list[int]]:
    """Ink in these boxes (top, bottom, left, right) of a sheet of 96 by 96."""
    sheet = np.zeros((96, 96), int)
    for top, bottom, left, right in bars:
        sheet[top:bottom, left:right] = 255
    rows: list[list[int]] = sheet.tolist()
    return rows


ONE = picture((10, 80, 42, 52))
ZERO = picture((10, 20, 30, 66), (70, 80, 30, 66), (14, 76, 26, 36), (14, 76, 60, 70))
