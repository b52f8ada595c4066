"""The body of a response: JSON, followed by the tensors that the client wants as bytes."""

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
    """The body of a response. `json_length` is how many bytes of it are JSON, None if all are."""

    body: bytes
    json_length: int | None


def write_response(model: Model, asked: InferRequest, results: Mapping[str, NDArray[Any]]) -> Response:
    """Return the response with the outputs in the order of the request.

    Raises `InvalidRequest` if an output that is wanted as JSON has NaN or infinity, or is BF16.
    """
    tail: list[bytes] = []
    outputs = [
        _output(name, results[name], as_bytes, tail) for name, as_bytes in asked.outputs.items() if name in results
    ]
    head: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    if asked.id is not None:
        head["id"] = asked.id
    text = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(b"".join([text, *tail]), len(text)) if any(asked.outputs.values()) else Response(text, None)


def _output(name: str, result: Any, as_bytes: bool, tail: list[bytes]) -> dict[str, Any]:
    """Return one output's part of the JSON. If it is wanted as bytes, they are added to `tail`."""
    array = np.asarray(result)
    output = {"name": name, "shape": array.shape, "datatype": DATATYPES[array.dtype]}
    if not as_bytes:
        return {**output, "data": literal.encode(array, f"output {quoted(name)}")}
    tail.append(binary.encode(array))
    return {**output, "parameters": {"binary_data_size": len(tail[-1])}}
