"""The JSON format of tensors: a list of values, which is flat or nested like the shape.

Values are not converted to the datatype: 1.0 is not accepted as an integer, and 1 is not accepted as a bool. But an
integer is accepted as a float. PERF: built-in functions check a flat list without a loop in Python.
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

NO_BF16 = "BF16 can only be sent as bytes, not as JSON"

_WORDS = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "O": "strings"}
_ACCEPTED: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (float, int), "O": (str,)}
"""The accepted Python types of the values, by `dtype.kind` of the array. The most frequent type is first."""


def decode(data: object, datatype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Decode a tensor from a JSON list. `what` names the tensor in error messages.

    Raises `InvalidRequest` if `data` does not match the datatype and the shape. Also raises `InvalidRequest` if a
    number is out of range for the datatype, or if the datatype is BF16.
    """
    if datatype == "BF16":
        raise InvalidRequest(f"{what}: {NO_BF16}; send it as bytes, with binary_data_size")
    values = _flat(data, shape, what)
    dtype = NUMPY_TYPES[datatype]
    accepted = _ACCEPTED[dtype.kind]
    types = list(map(type, values))
    if types.count(accepted[0]) != len(types) and not set(types) <= set(accepted):
        wrong = next(value for value in values if type(value) not in accepted)
        raise InvalidRequest(f"{what}: {datatype} needs {_WORDS[dtype.kind]}, got {describe(wrong)}")
    if datatype == "BYTES":
        return np.array(values, dtype).reshape(shape)
    array = _packed(values, dtype)
    if array is None or (dtype.kind == "f" and not np.isfinite(array).all()):
        raise InvalidRequest(f"{what}: contains a number that {datatype} cannot represent")
    return array.reshape(shape)


def _packed(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Return the values as an array, or None if struct cannot pack a value as `dtype`.

    PERF: struct is faster than numpy.array.
    """
    try:
        return np.frombuffer(struct.pack(f"{len(values)}{dtype.char}", *values), dtype)
    except (struct.error, OverflowError):
        return None


def encode(array: NDArray[Any], what: str) -> Any:
    """Return the values in a form that orjson can write: a flat array, or a list of strings.

    Raises `InvalidRequest` if a value is NaN or infinity, which JSON cannot represent, or if the datatype is BF16.
    """
    if array.dtype == NUMPY_TYPES["BF16"]:
        raise InvalidRequest(f"{what}: {NO_BF16}; request it with binary_data")
    if array.dtype == object:
        return array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidRequest(
            f"{what}: contains NaN or infinity, which JSON cannot represent; request it with binary_data"
        )
    return np.ascontiguousarray(array).reshape(-1)


def _flat(data: object, shape: tuple[int, ...], what: str) -> list[Any]:
    """Return the values as a flat list.

    Raises `InvalidRequest` if `data` is not a list, or if the number of values or the nesting does not match the shape.
    """
    if not isinstance(data, list):
        raise InvalidRequest(f"{what}: data must be a list, got {describe(data)}")
    values = _unnested(data, shape, what) if data and type(data[0]) is list else data
    if len(values) != math.prod(shape):
        raise InvalidRequest(f"{what}: the shape {list(shape)} has {math.prod(shape)} values, got {len(values)}")
    return values


def _unnested(data: list[Any], shape: tuple[int, ...], what: str) -> list[Any]:
    """Flatten nested lists. Raises `InvalidRequest` if the nesting does not match the shape."""
    level: list[Any] = [data]
    for size in shape:
        if not all(type(part) is list and len(part) == size for part in level):
            raise InvalidRequest(f"{what}: the nesting of data does not match the shape {list(shape)}")
        level = level[0] if len(level) == 1 else list(chain.from_iterable(level))
    return level
