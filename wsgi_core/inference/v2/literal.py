"""Tensors as JSON: a list of values, flat or nested as the shape is.

No value is converted: a string is not a number, 1.0 is not an integer, 1 is not a bool. The check of a long list is two
or three passes in C.
"""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..card import describe
from ..errors import InvalidRequest
from ..tensors import NUMPY_TYPES

NO_BF16 = "the protocol has BF16 as bytes only, not as JSON"

_WORDS = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "O": "strings"}
_ACCEPTED: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (float, int), "O": (str,)}
"""The types of the values in the list, by numpy's letter for the kind of the array; the most frequent first."""


def decode(data: object, datatype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Return the tensor of this type and shape that a JSON list holds. `what` is its name in an error.

    Raises `InvalidRequest` if the number of values or the nesting differs from the shape, if a value has another type,
    or if the type cannot hold a number.
    """
    if datatype == "BF16":
        raise InvalidRequest(f"{what}: {NO_BF16}; send it as bytes, with binary_data_size")
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
    """Return the values as an array, or None if the type cannot hold one of them.

    PERF: struct takes half the time of numpy.array, which reads each value twice, and it reports every overflow.
    """
    try:
        return np.frombuffer(struct.pack(f"{len(values)}{dtype.char}", *values), dtype)
    except (struct.error, OverflowError):
        return None


def encode(array: NDArray[Any], what: str) -> Any:
    """Return the values row by row, as orjson can write them: a flat array, or a list of strings.

    Raises `InvalidRequest` for NaN and infinity, which JSON cannot hold, and for BF16.
    """
    if array.dtype == NUMPY_TYPES["BF16"]:
        raise InvalidRequest(f"{what}: {NO_BF16}; ask for it with binary_data")
    if array.dtype == object:
        return array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidRequest(f"{what}: holds NaN or infinity, which JSON cannot hold; ask for it with binary_data")
    return np.ascontiguousarray(array).reshape(-1)


def _flat(data: object, shape: tuple[int, ...], what: str) -> list[Any]:
    """Return the values in one list. Raises `InvalidRequest` unless there are as many as the shape has."""
    if not isinstance(data, list):
        raise InvalidRequest(f"{what}: data must be a list, got {describe(data)}")
    values = _unnested(data, shape, what) if data and type(data[0]) is list else data
    if len(values) != math.prod(shape):
        raise InvalidRequest(f"{what}: the shape {list(shape)} has {math.prod(shape)} values, got {len(values)}")
    return values


def _unnested(data: list[Any], shape: tuple[int, ...], what: str) -> list[Any]:
    """Return the values of nested lists. Raises `InvalidRequest` unless they are nested as the shape is."""
    level: list[Any] = [data]
    for size in shape:
        if not all(type(part) is list and len(part) == size for part in level):
            raise InvalidRequest(f"{what}: data is not nested as the shape {list(shape)}")
        level = level[0] if len(level) == 1 else list(chain.from_iterable(level))
    return level
