"""Tensors as bytes: the protocol's binary extension.

Numbers are little-endian, row by row, without anything between them; BOOL is one byte. An element of BYTES is its
length as a little-endian 32-bit number, then that many bytes. Nothing is set aside for what a header only promises:
an array is as large as the bytes that are there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tensors import NUMPY_TYPES
from .errors import InvalidRequest

_LITTLE_ENDIAN = {name: dtype.newbyteorder("<") for name, dtype in NUMPY_TYPES.items()}
_LENGTH = struct.Struct("<I")


def decode(raw: memoryview, datatype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """The tensor of this type and shape that `raw` holds; `what` is its name in an error.

    Raises `InvalidRequest` unless the bytes are exactly as many as the tensor needs. Numbers are not copied where the
    machine can read them as they lie.
    """
    if datatype == "BYTES":
        return _decode_bytes(raw, shape, what)
    needed = math.prod(shape) * NUMPY_TYPES[datatype].itemsize
    if len(raw) != needed:
        raise InvalidRequest(f"{what}: {datatype} of the shape {list(shape)} takes {needed} bytes, got {len(raw)}")
    if datatype == "BOOL":
        return np.not_equal(np.frombuffer(raw, np.uint8), 0).reshape(shape)
    array: NDArray[Any] = np.frombuffer(raw, _LITTLE_ENDIAN[datatype]).reshape(shape)
    if array.flags.aligned and array.dtype.isnative:
        return array
    return array.astype(NUMPY_TYPES[datatype])


def encode(array: NDArray[Any]) -> bytes:
    """The bytes of a tensor of any of the protocol's types; BYTES are objects, each str or bytes."""
    if array.dtype == object:
        return b"".join(_encode_items(array))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _decode_bytes(raw: memoryview, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """An array of bytes objects."""
    items: list[bytes] = []
    start = 0
    while start < len(raw):
        if start + 4 > len(raw):
            raise InvalidRequest(f"{what}: ends within the length of element {len(items)}")
        (length,) = _LENGTH.unpack_from(raw, start)
        start += 4 + length
        if start > len(raw):
            raise InvalidRequest(f"{what}: element {len(items)} says {length} bytes, which are not there")
        items.append(bytes(raw[start - length : start]))
    if len(items) != math.prod(shape):
        raise InvalidRequest(f"{what}: the shape {list(shape)} has {math.prod(shape)} elements, got {len(items)}")
    return np.array(items, object).reshape(shape)


def _encode_items(array: NDArray[Any]) -> Iterator[bytes]:
    for item in array.flat:
        data = item if isinstance(item, bytes) else str(item).encode()
        yield _LENGTH.pack(len(data))
        yield data
