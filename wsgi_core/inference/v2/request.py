"""The conversion of the body of an infer request to the input tensors of a model.

The body is JSON, JSON followed by binary tensors, or one binary tensor. The parameters `classification` and
`shared_memory_region` of a tensor are refused, because they are not supported. Other parameters that are not supported,
such as `priority`, are ignored. Unknown keys are ignored too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..card import describe
from ..errors import InvalidRequest, quoted
from ..model import Model
from ..strict_json import JSONError, loads
from ..tensors import MAX_DIMENSIONS, NUMPY_TYPES, TensorSpec, mismatch
from . import binary, literal

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The name of the HTTP header that says how many bytes of a body are JSON."""

MAX_EMPTY = 1 << 20
"""The largest product of the nonzero dimensions of an empty tensor.

Without this limit, a small request could make the model compute a large output.
"""

_UNSUPPORTED = ("classification", "shared_memory_region")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InferRequest:
    """An infer request.

    feed: the input tensors by name
    outputs: maps the name of each requested output to True if the client wants the output in the binary format
    id: the id of the request, which the response repeats
    """

    feed: dict[str, NDArray[Any]]
    outputs: dict[str, bool]
    id: str | None = None


def read_infer_request(body: bytes, header_length: str | None, model: Model) -> InferRequest:
    """Read a request for `model` from a body. Missing inputs are not detected here: `Model.infer` detects them.

    `header_length` is the value of the header `HEADER_LENGTH`, or None. If the value is 0, the whole body is one input.
    Raises `InvalidRequest` if the request violates the protocol or does not match the model.
    """
    length = _json_length(header_length, len(body))
    if length == 0 and header_length is not None:
        return _read_raw(body, model)
    payload = read_object(body[:length], "the request")
    parameters = _parameters(payload, "the request")
    rest = _Rest(memoryview(body)[length:])
    feed = _read_inputs(payload, rest, model)
    rest.check_end()
    outputs = _read_outputs(payload, _flag(parameters, "binary_data_output", "the request"), model)
    return InferRequest(feed, outputs, _optional(payload, "id", str, "the request"))


def read_object(body: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in a body. Raises `InvalidRequest` if the body is not a JSON object.

    `what` names the body in the error message.
    """
    try:
        return _as(dict, loads(body), what)
    except JSONError as error:
        raise InvalidRequest(f"The body is not JSON: {error}") from error


class _Rest:
    """The bytes after the JSON that no input has taken yet. Each binary input takes its bytes from the start."""

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw

    def take(self, size: int, what: str) -> memoryview:
        if not 0 <= size <= len(self._raw):
            raise InvalidRequest(f"{what}: binary_data_size is {size}, but {len(self._raw)} bytes are left")
        taken, self._raw = self._raw[:size], self._raw[size:]
        return taken

    def check_end(self) -> None:
        if len(self._raw):
            raise InvalidRequest(f"{len(self._raw)} bytes after the JSON belong to no input")


def _json_length(header: str | None, size: int) -> int:
    """Return the number of JSON bytes in a body of `size` bytes. Raises `InvalidRequest` if the header is invalid."""
    if header is None:
        return size
    text = header.strip(" \t")
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise InvalidRequest(f"{HEADER_LENGTH} must be a whole number of bytes")
    if int(text) > size:
        raise InvalidRequest(f"{HEADER_LENGTH} is {int(text)}, but the body has {size} bytes")
    return int(text)


def _read_inputs(payload: Mapping[str, Any], rest: _Rest, model: Model) -> dict[str, NDArray[Any]]:
    known = {spec.name: spec for spec in model.inputs}
    feed: dict[str, NDArray[Any]] = {}
    for number, entry in enumerate(_as(list, payload.get("inputs"), "inputs")):
        tensor = _as(dict, entry, f"inputs[{number}]")
        name = _as(str, tensor.get("name"), f"inputs[{number}].name")
        if name not in known:
            raise InvalidRequest(f"{quoted(name)} is not an input of {model.id}; it has {sorted(known)}")
        if name in feed:
            raise InvalidRequest(f"input {quoted(name)} occurs twice")
        feed[name] = _read_tensor(tensor, rest, known[name])
    return feed


def _read_tensor(tensor: Mapping[str, Any], rest: _Rest, spec: TensorSpec) -> NDArray[Any]:
    what = f"input {quoted(spec.name)}"
    datatype = _as(str, tensor.get("datatype"), f"{what}: datatype")
    if datatype not in NUMPY_TYPES:
        raise InvalidRequest(f"{what}: {quoted(datatype)} is not a datatype; available: {', '.join(NUMPY_TYPES)}")
    shape = _shape(tensor.get("shape"), what)
    if datatype != spec.datatype or not spec.fits(shape):
        raise InvalidRequest(f"{what} {mismatch(spec, datatype, shape)}")
    parameters = _tensor_parameters(tensor, what)
    has_size, has_data = "binary_data_size" in parameters, "data" in tensor
    if has_size == has_data:
        raise InvalidRequest(f"{what}: needs either data or the parameter binary_data_size, and not both")
    if has_data:
        return literal.decode(tensor["data"], datatype, shape, what)
    size = _as(int, parameters["binary_data_size"], f"{what}: binary_data_size")
    return binary.decode(rest.take(size, what), datatype, shape, what)


def _shape(given: object, what: str) -> tuple[int, ...]:
    sizes = _as(list, given, f"{what}: shape")
    if len(sizes) > MAX_DIMENSIONS:
        raise InvalidRequest(f"{what}: a shape has at most {MAX_DIMENSIONS} dimensions")
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise InvalidRequest(f"{what}: a shape is a list of whole numbers from 0")
    if 0 in sizes and math.prod(size for size in sizes if size) > MAX_EMPTY:
        raise InvalidRequest(f"{what}: the shape of an empty tensor is too large")
    return tuple(sizes)


def _read_outputs(payload: Mapping[str, Any], as_bytes: bool, model: Model) -> dict[str, bool]:
    """Return the requested outputs by name, or all outputs of the model if the request names no output.

    The value of an output is True if the client wants the output in the binary format. If the output has no parameter
    `binary_data`, the value is `as_bytes`.
    """
    known = [spec.name for spec in model.outputs]
    wanted: dict[str, bool] = {}
    for number, entry in enumerate(_optional(payload, "outputs", list, "the request") or ()):
        output = _as(dict, entry, f"outputs[{number}]")
        name = _as(str, output.get("name"), f"outputs[{number}].name")
        if name not in known:
            raise InvalidRequest(f"{quoted(name)} is not an output of {model.id}; it has {known}")
        if name in wanted:
            raise InvalidRequest(f"output {quoted(name)} occurs twice")
        what = f"output {quoted(name)}"
        wanted[name] = _flag(_tensor_parameters(output, what), "binary_data", what, as_bytes)
    return wanted or dict.fromkeys(known, as_bytes)


def _tensor_parameters(tensor: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the parameters of an input or output. Raises `InvalidRequest` for a parameter in `_UNSUPPORTED`."""
    parameters = _parameters(tensor, what)
    for name in _UNSUPPORTED:
        if name in parameters:
            raise InvalidRequest(f"{what}: the parameter {name} is not supported")
    return parameters


def _read_raw(body: bytes, model: Model) -> InferRequest:
    """Read a request whose body is the data of a single input, without JSON.

    The input is the model's only required input or, if no input is required, its only input. If the datatype is BYTES,
    the whole body is one string.
    """
    needed = [spec for spec in model.inputs if not spec.optional] or model.inputs
    if len(needed) != 1:
        raise InvalidRequest(
            f"{model.id} has {len(needed)} inputs; a body without JSON can only be sent to a model with one input"
        )
    spec = needed[0]
    what = f"input {quoted(spec.name)}"
    if spec.datatype == "BYTES":
        array = np.array([body], object).reshape((1,) * (len(spec.shape) or 1))
    else:
        array = binary.decode(memoryview(body), spec.datatype, _raw_shape(spec, len(body), what), what)
    return InferRequest({spec.name: array}, dict.fromkeys((output.name for output in model.outputs), True))


def _raw_shape(spec: TensorSpec, size: int, what: str) -> tuple[int, ...]:
    """Return the shape of an input that has `size` bytes.

    A single dynamic dimension gets its size from `size`. A scalar counts as one dynamic dimension. If several
    dimensions are dynamic, a dynamic first dimension gets the size 1. Raises `InvalidRequest` if more than one dynamic
    dimension remains.
    """
    shape = list(spec.shape or (-1,))
    if shape.count(-1) > 1 and shape[0] == -1:
        shape[0] = 1
    if shape.count(-1) > 1:
        raise InvalidRequest(
            f"{what}: the shape {list(spec.shape)} has too many dynamic dimensions for a body without JSON"
        )
    if -1 in shape:
        others = math.prod(length for length in shape if length != -1) * spec.dtype.itemsize
        shape[shape.index(-1)] = size // others if others else 0
    return tuple(shape)


def _parameters(part: Mapping[str, Any], what: str) -> dict[str, Any]:
    return _optional(part, "parameters", dict, what) or {}


def _flag(parameters: Mapping[str, Any], name: str, what: str, default: bool = False) -> bool:
    value = _optional(parameters, name, bool, what)
    return default if value is None else value


def _optional(part: Mapping[str, Any], name: str, kind: type[T], what: str) -> T | None:
    """Return the value of an optional key, or None if the key is missing or its value is null.

    Raises `InvalidRequest` if the type of the value is not exactly `kind`.
    """
    value = part.get(name)
    return None if value is None else _as(kind, value, f"{what}: {name}")


_KINDS = {str: "a string", list: "a list", dict: "an object", int: "a whole number", bool: "true or false"}


def _as(kind: type[T], value: object, what: str) -> T:
    """Return `value`. Raises `InvalidRequest` if its type is not exactly `kind`: a bool is not an int."""
    if type(value) is not kind:
        raise InvalidRequest(f"{what} must be {_KINDS[kind]}, got {describe(value)}")
    return value
