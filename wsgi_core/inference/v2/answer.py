"""From a model's outputs to the bytes of an answer: JSON, and behind it the tensors that were asked for as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..model import Model
from ..tensors import NUMPY_TYPES
from . import binary, literal
from .errors import quoted
from .request import InferRequest

_DATATYPES = {dtype: name for name, dtype in NUMPY_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """The body; `json_length` is how much of it is JSON, None if all of it is."""

    body: bytes
    json_length: int | None


def write_answer(model: Model, asked: InferRequest, results: Mapping[str, NDArray[Any]]) -> Answer:
    """The answer with the outputs in the order in which they were asked for.

    Raises `InvalidRequest` for NaN and infinity that were asked for as JSON.
    """
    tail: list[bytes] = []
    outputs = [_output(name, results[name], as_bytes, tail) for name, as_bytes in asked.outputs.items()]
    head: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    if asked.id is not None:
        head["id"] = asked.id
    text = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    return Answer(b"".join([text, *tail]), len(text)) if any(asked.outputs.values()) else Answer(text, None)


def _output(name: str, result: Any, as_bytes: bool, tail: list[bytes]) -> dict[str, Any]:
    """One output's part of the JSON; its bytes, if it is to come as bytes, are added to `tail`."""
    array = np.asarray(result)
    output = {"name": name, "shape": array.shape, "datatype": _DATATYPES[array.dtype]}
    if not as_bytes:
        return {**output, "data": literal.encode(array, f"output {quoted(name)}")}
    tail.append(binary.encode(array))
    return {**output, "parameters": {"binary_data_size": len(tail[-1])}}
