"""A model's signature as its ONNX file gives it, and the check of raw tensors against it.

The names of the datatypes are those of the Open Inference Protocol: FP32, INT64, BYTES, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidTensors

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
"""The type of the array for each datatype, in this machine's byte order; BYTES: objects, each str or bytes."""

MAX_DIMENSIONS = 32
"""More than that numpy 1 could not hold either."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output: its name, its datatype in the protocol's words, its shape with -1 for any size.

    An empty shape also stands for a shape that the file does not give, so that it takes any.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(repr=False)

    def accepts(self, array: NDArray[Any]) -> bool:
        """Whether an array has this type and fits this shape."""
        return array.dtype == self.dtype and self.fits(array.shape)

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a shape is one of those that the model takes."""
        if not self.shape:
            return len(shape) <= MAX_DIMENSIONS
        return len(shape) == len(self.shape) and all(
            mine in (-1, theirs) for mine, theirs in zip(self.shape, shape, strict=True)
        )

    @property
    def expected(self) -> str:
        """What is accepted, in words: `FP32 of the shape [-1, 5]`."""
        return f"{self.datatype} of the shape {list(self.shape)}" if self.shape else self.datatype


def read_spec(tensor: Any) -> TensorSpec | None:
    """The spec of one of onnxruntime's NodeArgs; None for what is no tensor, or of a type that none else has."""
    datatype = _DATATYPES.get(tensor.type)
    if datatype is None:
        return None
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in tensor.shape)
    return TensorSpec(tensor.name, datatype, shape, NUMPY_TYPES[datatype])


def zeros(spec: TensorSpec) -> NDArray[Any]:
    """The smallest tensor that fits, of zeros or empty strings."""
    shape = [1 if size == -1 else size for size in spec.shape]
    return np.full(shape, "", object) if spec.datatype == "BYTES" else np.zeros(shape, spec.dtype)


def check_feed(specs: Mapping[str, TensorSpec], feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors as the session takes them; raises `InvalidTensors` that names all that is wrong with them."""
    for name, array in feed.items():
        spec = specs.get(name)
        if spec is None or not spec.accepts(array):
            raise _refusal(specs, feed)
    if len(feed) != len(specs):
        raise _refusal(specs, feed)
    return {name: _as_text(name, array) if array.dtype == object else array for name, array in feed.items()}


def _refusal(specs: Mapping[str, TensorSpec], feed: Mapping[str, NDArray[Any]]) -> InvalidTensors:
    """The error that names every input that is unknown, missing, or of another type or shape."""
    fields = [
        *({"field": name, "message": "is no input of this model"} for name in feed if name not in specs),
        *({"field": name, "message": "is missing"} for name in specs if name not in feed),
        *(
            {"field": name, "message": f"must be {specs[name].expected}, got {_found(array)}"}
            for name, array in feed.items()
            if name in specs and not specs[name].accepts(array)
        ),
    ]
    return InvalidTensors("; ".join(f"input {entry['field']!r} {entry['message']}" for entry in fields), fields)


def _found(array: NDArray[Any]) -> str:
    """`FP64 of the shape [1, 5]`."""
    names = {dtype: name for name, dtype in NUMPY_TYPES.items()}
    return f"{names.get(array.dtype, array.dtype)} of the shape {list(array.shape)}"


def _as_text(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The strings of a BYTES tensor as str, which is all that onnxruntime reads; bytes must be UTF-8."""
    try:
        texts = [item.decode() if isinstance(item, bytes) else _as_utf8(item) for item in array.flat]
    except UnicodeError:
        fields = [{"field": name, "message": "holds bytes that are not UTF-8"}]
        raise InvalidTensors(f"input {name!r} holds bytes that are not UTF-8", fields) from None
    return np.array(texts, object).reshape(array.shape)


def _as_utf8(item: object) -> str:
    """The item as str; UnicodeError if it cannot be sent as UTF-8."""
    text = str(item)
    text.encode()
    return text
