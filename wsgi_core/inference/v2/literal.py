"""Tensors as JSON writes them: a list of values, flat or nested as the shape is.

Nothing is converted on the way: a string is no number, 1.0 no integer, 1 no truth. The check of a long list is two or
three passes that run in C.
"""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..card import describe
from ..tensors import NUMPY_TYPES
from .errors import InvalidRequest

_WORDS = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "O": "strings"}
_ACCEPTED: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (float, int), "O": (str,)}
"""What may stand in the list, by numpy's letter for the kind of the array; the likeliest first."""


def decode(data: object, datatype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """The tensor of this type and shape that came as JSON; `what` is its name in an error.

    Raises `InvalidRequest` for another number of values than the shape has, another nesting, values of another type,
    and numbers that the type cannot hold.
    """
    values = _flat(data, shape, what)
    dtype = NUMPY_TYPES[datatype]
    accepted = _ACCEPTED[dtype.kind]
    types = list(map(type, values))
    if types.count(accepted[0]) != len(types) and not set(types) <= set(accepted):
        wrong = next(value for value in values if type(value) not in accepted)
        raise InvalidRequest(f"{what}: {datatype} takes {_WORDS[dtype.kind]}, got {describe(wrong)}")
    if datatype == "BYTES":
        return np.array(values, dtype).reshape(shape)
    array = _packed(values, dtype)
    if array is None or (dtype.kind == "f" and not np.isfinite(array).all()):
        raise InvalidRequest(f"{what}: holds a number that {datatype} cannot hold")
    return array.reshape(shape)


def _packed(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """The values as an array; None if one of them is beyond the type's range.

    PERF: struct takes half the time of numpy.array, which looks at each value twice, and tells of every overflow.
    """
    try:
        return np.frombuffer(struct.pack(f"{len(values)}{dtype.char}", *values), dtype)
    except (struct.error, OverflowError):
        return None


def encode(array: NDArray[Any], what: str) -> Any:
    """The values row by row, as orjson can write them: a flat array, or a list of strings.

    Raises `InvalidRequest` for NaN and infinity, for which JSON has no words.
    """
    if array.dtype == object:
        return array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidRequest(f"{what}: holds NaN or infinity, which JSON cannot say; ask for it with binary_data")
    return np.ascontiguousarray(array).reshape(-1)


def _flat(data: object, shape: tuple[int, ...], what: str) -> list[Any]:
    """The values in one list, as many as the shape has."""
    if not isinstance(data, list):
        raise InvalidRequest(f"{what}: data must be a list, got {describe(data)}")
    values = _unnested(data, shape, what) if data and type(data[0]) is list else data
    if len(values) != math.prod(shape):
        raise InvalidRequest(f"{what}: the shape {list(shape)} has {math.prod(shape)} values, got {len(values)}")
    return values


def _unnested(data: list[Any], shape: tuple[int, ...], what: str) -> list[Any]:
    """The values of lists in lists, which must be nested as the shape says."""
    level: list[Any] = [data]
    for size in shape:
        if not all(type(part) is list and len(part) == size for part in level):
            raise InvalidRequest(f"{what}: data is nested otherwise than the shape {list(shape)}")
        level = level[0] if len(level) == 1 else list(chain.from_iterable(level))
    return level
