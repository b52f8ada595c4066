"""The body of a response: JSON, followed by the outputs that the client wants in the binary format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..errors import quoted
from ..model import Model
from ..tensors import DATATYPES
from . import binary, literal
from .request import InferRequest


@dataclass(frozen=True, slots=True)
class Response:
    """The body of a response.

    `json_length` is the number of JSON bytes, or None if no output is requested as binary.
    """

    body: bytes
    json_length: int | None


def write_response(model: Model, request: InferRequest, results: Mapping[str, NDArray[Any]]) -> Response:
    """Return the response with the requested outputs, in the order of the request. Outputs without a value are left
    out.

    Raises `InvalidRequest` if an output is requested as JSON but has the datatype BF16, or contains NaN or infinity.
    """
    tail: list[bytes] = []
    outputs = [
        _output(name, results[name], as_bytes, tail) for name, as_bytes in request.outputs.items() if name in results
    ]
    head: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    if request.id is not None:
        head["id"] = request.id
    text = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(b"".join([text, *tail]), len(text)) if any(request.outputs.values()) else Response(text, None)


def _output(name: str, result: Any, as_bytes: bool, tail: list[bytes]) -> dict[str, Any]:
    """Return the JSON object of one output.

    If `as_bytes` is true, the values are appended to `tail` in the binary format, and are not in the object.
    """
    array = np.asarray(result)
    output = {"name": name, "shape": array.shape, "datatype": DATATYPES[array.dtype]}
    if not as_bytes:
        return {**output, "data": literal.encode(array, f"output {quoted(name)}")}
    tail.append(binary.encode(array))
    return {**output, "parameters": {"binary_data_size": len(tail[-1])}}
