"""The OpenAPI operations of the Open Inference Protocol, version 2."""

from __future__ import annotations

from collections.abc import Callable

from ...inference import ModelRepository
from ...inference.tensors import MAX_DIMENSIONS, NUMPY_TYPES
from ...inference.v2 import HEADER_LENGTH
from .operations import JSON, OCTETS, STRING, Answer, Operation, Schema, array, errors, good, record, ref

GROUP = "Open Inference Protocol"
COUNT: Schema = {"type": "integer", "minimum": 0}

_SIZE = array({"type": "integer", "minimum": -1})
_TENSOR = record(
    {
        "name": STRING,
        "datatype": {"enum": list(NUMPY_TYPES)},
        "shape": _SIZE,
        "parameters": {"type": "object", "description": "labels: the classes of the columns; optional: has a default"},
    },
    "parameters",
)
_IDS = array({"type": "string", "examples": ["churn/2"]})
_PARAMETERS: Schema = {"type": ["object", "null"]}
_FLAG: Schema = {"type": ["boolean", "null"]}

COMPONENTS: dict[str, Schema] = {
    "Tensor": record(
        {
            "name": STRING,
            "datatype": {"enum": list(NUMPY_TYPES)},
            "shape": array(COUNT, maxItems=MAX_DIMENSIONS),
            "data": {"type": "array", "description": "Row by row, flat or nested; or binary_data_size, and bytes"},
            "parameters": _PARAMETERS | {"properties": {"binary_data_size": COUNT}},
        },
        "data", "parameters",
    ),
    "InferRequest": record(
        {
            "id": {"type": ["string", "null"], "description": "Comes back as it is"},
            "parameters": _PARAMETERS | {"properties": {"binary_data_output": _FLAG}},
            "inputs": array(ref("Tensor"), minItems=1),
            "outputs": {"anyOf": [array(ref("WantedOutput")), {"type": "null"}], "description": "By default all"},
        },
        "id", "parameters", "outputs",
    ),
    "WantedOutput": record(
        {"name": STRING, "parameters": _PARAMETERS | {"properties": {"binary_data": _FLAG}}}, "parameters"
    ),
    "InferAnswer": record(
        {"model_name": STRING, "model_version": STRING, "id": STRING, "outputs": array(ref("Tensor"))}, "id"
    ),
    "ModelMetadata": record(
        {
            "name": STRING, "versions": array(STRING), "platform": STRING,
            "inputs": array(_TENSOR), "outputs": array(_TENSOR),
        }
    ),
    "Statistics": record({"model_stats": array({"type": "object", "required": ["name", "version"]})}),
    "IndexEntry": record(
        {"name": STRING, "version": STRING, "state": {"enum": ["READY", "UNAVAILABLE"]}, "reason": STRING}
    ),
    "Reload": record(
        {
            "added": _IDS, "changed": _IDS, "removed": _IDS,
            "refused": {"type": "object", "additionalProperties": STRING, "description": "The reason for each"},
        }
    ),
}  # fmt: skip

_BODY = (400, 413, 415)


def about_server(schema: Schema) -> Operation:
    """Return the operation of a route about the server. The response has this schema."""
    return Operation(GROUP, {200: good(schema)})


def about_model(schema: Schema) -> Callable[[ModelRepository], Operation]:
    """Return a function that makes the operation of a route about a model. The response has this schema.

    The function takes the repository. The names of its models become examples.
    """
    return lambda models: Operation(GROUP, {200: good(schema), **errors(404)}, parameters=_parameters(models))


def infer_operation(models: ModelRepository) -> Operation:
    """Return the operation of an inference route."""
    return _infer(_parameters(models))


def change_operation(models: ModelRepository) -> Operation:
    """Return the operation of a route that loads or unloads a model."""
    return Operation(
        GROUP,
        {200: good({"type": "object"}), **errors(403, 404, *_BODY)},
        body={JSON: {"type": "object"}},
        body_required=False,
        parameters=(_name(models),),
    )


INDEX = Operation(
    GROUP,
    {200: good(array(ref("IndexEntry"))), **errors(*_BODY)},
    body={JSON: record({"ready": {"type": "boolean", "description": "Only what is served"}}, "ready")},
    body_required=False,
)

RELOAD = Operation(
    GROUP,
    {200: good(ref("Reload")), **errors(403, *_BODY)},
    body={JSON: {"type": "object"}},
    body_required=False,
    description="Not a part of the protocol. What is refused is served as it was before.",
)


def _parameters(models: ModelRepository) -> tuple[Schema, ...]:
    return _name(models), {**_path("version"), "examples": {"first": {"value": "1"}}}


def _path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _name(models: ModelRepository) -> Schema:
    """Return the path parameter for a model's name, with the names of the served models as examples."""
    names = dict.fromkeys(model.name for model in models.models)
    return _path("name") | {"examples": {name: {"value": name} for name in names}}


def _infer(parameters: tuple[Schema, ...]) -> Operation:
    length = {
        "name": HEADER_LENGTH,
        "in": "header",
        "description": "How many bytes of the body are JSON; the tensors follow as bytes. Without it all of them are",
        "schema": COUNT,
    }
    tensors = {"type": "string", "format": "binary"}
    return Operation(
        GROUP,
        {
            200: Answer(
                "The outputs", {JSON: ref("InferAnswer"), OCTETS: tensors}, {HEADER_LENGTH: "How much of it is JSON"}
            ),
            **errors(404, *_BODY),
        },
        body={JSON: ref("InferRequest"), OCTETS: tensors},
        body_required=False,  # an empty body is a tensor without rows
        parameters=(*parameters, length),
        description="Tensors as JSON or, by the binary extension, as bytes behind it; either side may compress.",
    )
