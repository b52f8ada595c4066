"""Tensors as JSON: no conversion between types, no value out of range, flat or nested like the shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oip import ONNX_TYPES, sample
from wsgi_core.inference.v2 import InvalidRequest
from wsgi_core.inference.v2.literal import decode, encode


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@pytest.mark.parametrize("flat", [True, False])
def test_every_type_comes_back_flat_or_nested(datatype: str, flat: bool) -> None:
    array = sample(datatype)
    data = (array.ravel() if flat else array).tolist()
    found = decode(data, datatype, (2, 3), "x")
    assert found.dtype == array.dtype
    assert found.tolist() == array.tolist()
    assert list(encode(found, "y")) == array.ravel().tolist()


@pytest.mark.parametrize(
    ("data", "shape"),
    [([5], ()), ([], (0,)), ([], (0, 3)), ([[], []], (2, 0)), ([[[1]]], (1, 1, 1)), ([[1], [2]], (2, 1))],
)
def test_odd_shapes(data: list[Any], shape: tuple[int, ...]) -> None:
    assert decode(data, "INT64", shape, "x").shape == shape


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (None, (1,)), ({}, (1,)), (1, ()), ([[1, 2]], (2,)), ([[1], [2, 3]], (2, 1)), ([[1, 2], 3], (2, 2)),
        ([[1, 2], [3, 4]], (4,)), ([[]], (0, 3)), ([], (2**62, 2**62)), ([1], (1, 1, 2)),
    ],
)  # fmt: skip
def test_another_number_or_nesting_is_refused(data: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"^x: "):
        decode(data, "INT64", shape, "x")


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("FP32", True), ("FP32", "1"), ("FP32", None), ("FP64", [1]), ("INT8", 1.0), ("INT8", True), ("BOOL", 1),
        ("BOOL", "true"), ("BYTES", 1), ("BYTES", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_wherever_it_stands(datatype: str, value: object) -> None:
    good = sample(datatype).ravel().tolist()[:3]
    for place in range(4):
        data = [*good[:place], value, *good[place:]]
        with pytest.raises(InvalidRequest, match="needs"):
            decode(data, datatype, (4,), "x")


@pytest.mark.parametrize("datatype", [name for name in ONNX_TYPES if "INT" in name])
def test_integers_end_where_the_type_ends(datatype: str) -> None:
    limits = np.iinfo(datatype.lower())
    assert decode([limits.min, limits.max], datatype, (2,), "x").tolist() == [limits.min, limits.max]
    for beyond in (limits.min - 1, limits.max + 1):
        with pytest.raises(InvalidRequest, match="cannot represent"):
            decode([0, beyond], datatype, (2,), "x")


@pytest.mark.parametrize(
    ("datatype", "beyond"), [("FP16", 65520.0), ("FP32", 3.5e38), ("FP64", float("inf")), ("FP16", 10**6)]
)
def test_floats_end_where_the_type_ends(datatype: str, beyond: float) -> None:
    with pytest.raises(InvalidRequest, match="cannot represent"):
        decode([0.0, beyond], datatype, (2,), "x")


@pytest.mark.parametrize("datatype", ["FP16", "FP32"])
def test_floats_are_rounded_as_numpy_rounds_them(datatype: str) -> None:
    values = np.random.default_rng(1).normal(size=1000)
    found = decode(values.tolist(), datatype, (1000,), "x")
    assert np.array_equal(found, values.astype(found.dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_json_cannot_say_is_refused(dtype: type, value: float) -> None:
    with pytest.raises(InvalidRequest, match="binary_data"):
        encode(np.array([0, value], dtype), "output 'y'")


def test_values_lie_row_by_row_whatever_the_array_was() -> None:
    assert encode(np.array([[1, 2], [3, 4]]).T, "y").tolist() == [1, 3, 2, 4]
