"""Tensors as bytes: every datatype is decoded and encoded unchanged, and inconsistent lengths are rejected."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oip import ONNX_TYPES, sample
from wsgi_core.inference.v2 import InvalidRequest
from wsgi_core.inference.v2.binary import decode, encode


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@pytest.mark.parametrize("offset", [0, 1, 3, 8])
def test_every_type_comes_back_from_any_place(datatype: str, offset: int) -> None:
    array = sample(datatype)
    raw = memoryview(bytes(offset) + encode(array))[offset:]
    found = decode(raw, datatype, (2, 3), "x")
    assert found.flags.aligned
    assert found.dtype == array.dtype
    expected = [item.encode() for item in array.ravel()] if datatype == "BYTES" else array.ravel().tolist()
    assert found.ravel().tolist() == expected


def test_numbers_are_little_endian_row_by_row() -> None:
    array = np.array([[1, 2], [3, 4]], ">i2")
    assert encode(array) == encode(np.asfortranarray(array)) == b"\1\0\2\0\3\0\4\0"


def test_numbers_are_not_copied_where_they_can_be_read_as_they_lie() -> None:
    raw = np.zeros(4, np.float32).tobytes()
    assert np.shares_memory(decode(memoryview(raw), "FP32", (4,), "x"), np.frombuffer(raw, np.uint8))


def test_strings_are_lengths_and_bytes() -> None:
    assert encode(np.array(["é", b"\xff", ""], object)) == b"\2\0\0\0\xc3\xa9\1\0\0\0\xff\0\0\0\0"


def test_any_byte_but_zero_is_true() -> None:
    assert decode(memoryview(b"\0\1\2\xff"), "BOOL", (4,), "x").tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("raw", "datatype", "shape"),
    [
        (b"\0\0\0", "FP32", (1,)),
        (b"\0" * 8, "FP32", (1,)),
        (b"", "INT64", (2**62, 2**62)),
        (b"\1", "BYTES", (1,)),
        (b"\1\0\0\0", "BYTES", (1,)),
        (b"\0\0\0\0", "BYTES", (2,)),
        (b"\0\0\0\0", "BYTES", (0,)),
    ],
)
def test_what_does_not_add_up_is_refused(raw: bytes, datatype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"^input 'x': "):
        decode(memoryview(raw), datatype, shape, "input 'x'")
