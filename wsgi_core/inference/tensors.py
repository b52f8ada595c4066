"""The signature of a model, and the check of tensors against the signature.

The signature is the name, datatype and shape of each input and output. Datatypes have the names of the Open Inference
Protocol, such as FP32, INT64 and BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidTensors

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
    "BF16": np.dtype([("bfloat16", np.uint16)]),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
"""The NumPy type of each datatype, in the machine's byte order.

An array of the datatype BYTES contains str or bytes objects. An array of the datatype BF16 contains the 16 bits of each
number, because NumPy has no bfloat16.
"""

DATATYPES = {dtype: name for name, dtype in NUMPY_TYPES.items()}

_ONNX_NAMES = {"FP16": "float16", "BF16": "bfloat16", "FP32": "float", "FP64": "double", "BYTES": "string"}
_BY_ONNX_NAME = {_ONNX_NAMES.get(name, name.lower()): name for name in NUMPY_TYPES}

_TENSOR = re.compile(r"(?P<optional>optional\()?tensor\((?P<element>\w+)\)\)?")
_CLASS_PROBABILITIES = re.compile(r"seq\(map\((?:int64|string),tensor\(float\)\)\)")

MAX_DIMENSIONS = 32
"""The maximum number of dimensions of a tensor, which is also the maximum of NumPy 1."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The name, datatype and shape of one input or output.

    In `shape`, -1 is a dimension of any size. If the ONNX file declares no shape, onnxruntime reports an empty shape.
    So an empty `shape` stands for any shape with at most `MAX_DIMENSIONS` dimensions.

    optional: whether the input can be omitted, because it has a default or its ONNX type is `optional`
    without_value: whether the ONNX type is `optional`; if the input is omitted, onnxruntime must receive None
    from_maps: whether onnxruntime returns a dict from class to probability for each row, instead of a tensor
    labels: the classes if `from_maps` is true, in the order of the columns; empty until a run returns a row
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(repr=False)
    optional: bool = False
    without_value: bool = False
    from_maps: bool = False
    labels: tuple[int | str, ...] = ()

    def accepts(self, array: NDArray[Any]) -> bool:
        """Return whether an array has the datatype and a shape of this spec."""
        return array.dtype == self.dtype and self.fits(array.shape)

    def fits(self, shape: Sequence[int]) -> bool:
        """Return whether `shape` matches the shape of this spec, in which -1 matches any size."""
        if not self.shape:
            return len(shape) <= MAX_DIMENSIONS
        return len(shape) == len(self.shape) and all(
            own in (-1, given) for own, given in zip(self.shape, shape, strict=True)
        )

    @property
    def expected(self) -> str:
        """The accepted datatype and shape as text, such as `FP32 of the shape [-1, 5]`."""
        return f"{self.datatype} of the shape {list(self.shape)}" if self.shape else self.datatype


class Unserved(NamedTuple):
    """An input or output that the Open Inference Protocol cannot carry.

    `side` is `input` or `output`. `type` is the ONNX type, such as `seq(tensor(float))`.
    """

    side: str
    name: str
    type: str
    reason: str

    def __str__(self) -> str:
        return f"the {self.side} {self.name!r} ({self.type}) is not served: {self.reason}"


def read_spec(tensor: Any, side: str, *, has_default: bool = False) -> TensorSpec | Unserved:
    """Return the spec of an input or output, or an `Unserved` if the Open Inference Protocol cannot carry the tensor.

    `tensor` is a NodeArg of onnxruntime. `side` is `input` or `output`. `has_default` says whether the graph has a
    default value (an initializer) for the input.
    """
    if side == "output" and _CLASS_PROBABILITIES.fullmatch(tensor.type):
        return TensorSpec(tensor.name, "FP32", (-1, -1), NUMPY_TYPES["FP32"], from_maps=True)
    found = _TENSOR.fullmatch(tensor.type)
    datatype = found and _BY_ONNX_NAME.get(found["element"])
    if not found or not datatype:
        return Unserved(side, tensor.name, tensor.type, _unserved_reason(tensor.type))
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in tensor.shape)
    without_value = bool(found["optional"])
    optional = has_default or (without_value and side == "input")
    return TensorSpec(tensor.name, datatype, shape, NUMPY_TYPES[datatype], optional, without_value)


def _unserved_reason(onnx_type: str) -> str:
    for kind, words in (("sparse", "sparse tensors"), ("seq", "sequences"), ("map", "maps")):
        if kind in onnx_type:
            return f"the protocol has no {words}"
    return "the protocol has no such datatype"


def zeros(spec: TensorSpec) -> NDArray[Any]:
    """Return a tensor of zeros or empty strings that matches the spec. A dimension of -1 gets the size 1."""
    shape = [1 if size == -1 else size for size in spec.shape]
    return np.full(shape, "", object) if spec.datatype == "BYTES" else np.zeros(shape, spec.dtype)


def check_feed(specs: Mapping[str, TensorSpec], feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Check the input tensors against `specs`, and return them with all texts as str.

    Raises `InvalidTensors` if an input is unknown, missing, or of the wrong datatype or shape. Also raises
    `InvalidTensors` if a text is not UTF-8.
    """
    for name, array in feed.items():
        spec = specs.get(name)
        if spec is None or not spec.accepts(array):
            raise _invalid(specs, feed)
    if len(feed) != len(specs) and any(name not in feed and not spec.optional for name, spec in specs.items()):
        raise _invalid(specs, feed)
    return {name: _as_text(name, array) if array.dtype == object else array for name, array in feed.items()}


def _invalid(specs: Mapping[str, TensorSpec], feed: Mapping[str, NDArray[Any]]) -> InvalidTensors:
    """Return an error that names each input that is unknown, missing, or of the wrong datatype or shape."""
    missing = [name for name, spec in specs.items() if name not in feed and not spec.optional]
    fields = [
        *({"field": name, "message": "is not an input of this model"} for name in feed if name not in specs),
        *({"field": name, "message": "is missing"} for name in missing),
        *(
            {"field": name, "message": mismatch(specs[name], DATATYPES.get(array.dtype, f"{array.dtype}"), array.shape)}
            for name, array in feed.items()
            if name in specs and not specs[name].accepts(array)
        ),
    ]
    return InvalidTensors("; ".join(f"input {entry['field']!r} {entry['message']}" for entry in fields), fields)


def mismatch(spec: TensorSpec, datatype: str, shape: Sequence[int]) -> str:
    """Return an error message with the expected and the received datatype and shape."""
    return f"must be {spec.expected}, got {datatype} of the shape {list(shape)}"


def _as_text(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return a BYTES tensor with all elements as str. Raises `InvalidTensors` if an element is not UTF-8."""
    try:
        texts = [item.decode() if isinstance(item, bytes) else _as_utf8(item) for item in array.flat]
    except UnicodeError:
        fields = [{"field": name, "message": "contains bytes that are not UTF-8"}]
        raise InvalidTensors(f"input {name!r} contains bytes that are not UTF-8", fields) from None
    return np.array(texts, object).reshape(array.shape)


def _as_utf8(item: object) -> str:
    """Return the item as str. Raises UnicodeError if UTF-8 cannot encode the text."""
    text = str(item)
    text.encode()
    return text
