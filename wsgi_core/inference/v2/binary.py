"""The binary format of tensors, from the protocol's binary tensor data extension.

Numbers are little-endian, in row-major order. A BOOL is one byte. An element of the datatype BYTES is its length as a
little-endian 32-bit integer, followed by its bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..tensors import NUMPY_TYPES

_LITTLE_ENDIAN = {name: dtype.newbyteorder("<") for name, dtype in NUMPY_TYPES.items()}
_LENGTH = struct.Struct("<I")


def decode(raw: memoryview, datatype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Decode a tensor from `raw`. `what` names the tensor in error messages.

    Raises `InvalidRequest` if the length of `raw` does not match the datatype and the shape. The array can share the
    memory of `raw`.
    """
    if datatype == "BYTES":
        return _decode_bytes(raw, shape, what)
    needed = math.prod(shape) * NUMPY_TYPES[datatype].itemsize
    if len(raw) != needed:
        raise InvalidRequest(f"{what}: {datatype} of the shape {list(shape)} needs {needed} bytes, got {len(raw)}")
    if datatype == "BOOL":
        return np.not_equal(np.frombuffer(raw, np.uint8), 0).reshape(shape)
    array: NDArray[Any] = np.frombuffer(raw, _LITTLE_ENDIAN[datatype]).reshape(shape)
    if array.flags.aligned and array.dtype.isnative:
        return array
    return array.astype(NUMPY_TYPES[datatype])


def encode(array: NDArray[Any]) -> bytes:
    """Encode a tensor of any datatype. The elements of a BYTES tensor may be str or bytes."""
    if array.dtype == object:
        return b"".join(_encode_items(array))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _decode_bytes(raw: memoryview, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Decode a BYTES tensor to an array of bytes objects. Raises `InvalidRequest` if `raw` does not match the shape."""
    items: list[bytes] = []
    wanted = math.prod(shape)
    start = 0
    while start < len(raw):
        if len(items) == wanted:
            raise InvalidRequest(f"{what}: the shape {list(shape)} has {wanted} elements, got more")
        if start + 4 > len(raw):
            raise InvalidRequest(f"{what}: the data ends within the length of element {len(items)}")
        (length,) = _LENGTH.unpack_from(raw, start)
        start += 4 + length
        if start > len(raw):
            raise InvalidRequest(f"{what}: element {len(items)} should have {length} bytes, but fewer are left")
        items.append(bytes(raw[start - length : start]))
    if len(items) != wanted:
        raise InvalidRequest(f"{what}: the shape {list(shape)} has {wanted} elements, got {len(items)}")
    return np.array(items, object).reshape(shape)


def _encode_items(array: NDArray[Any]) -> Iterator[bytes]:
    for item in array.flat:
        data = item if isinstance(item, bytes) else str(item).encode()
        yield _LENGTH.pack(len(data))
        yield data
