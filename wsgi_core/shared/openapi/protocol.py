"""The OpenAPI operations of the routes of the Open Inference Protocol, version 2."""

from __future__ import annotations

from collections.abc import Callable

from ...inference import ModelRepository
from ...inference.tensors import MAX_DIMENSIONS, NUMPY_TYPES
from ...inference.v2 import HEADER_LENGTH
from .operations import JSON, OCTETS, STRING, Operation, ResponseObject, Schema, array, errors, object_schema, ok, ref

GROUP = "Open Inference Protocol"
COUNT: Schema = {"type": "integer", "minimum": 0}

_SIZE = array({"type": "integer", "minimum": -1})
_TENSOR = object_schema(
    {
        "name": STRING,
        "datatype": {"enum": list(NUMPY_TYPES)},
        "shape": _SIZE,
        "parameters": {
            "type": "object",
            "description": "labels: the class that each column stands for; optional: whether the input has a default",
        },
    },
    "parameters",
)
_IDS = array({"type": "string", "examples": ["churn/2"]})
_PARAMETERS: Schema = {"type": ["object", "null"]}
_FLAG: Schema = {"type": ["boolean", "null"]}

COMPONENTS: dict[str, Schema] = {
    "Tensor": object_schema(
        {
            "name": STRING,
            "datatype": {"enum": list(NUMPY_TYPES)},
            "shape": array(COUNT, maxItems=MAX_DIMENSIONS),
            "data": {"type": "array", "description": "In row-major order, flat or nested; not with binary_data_size"},
            "parameters": _PARAMETERS | {"properties": {"binary_data_size": COUNT}},
        },
        "data", "parameters",
    ),
    "InferRequest": object_schema(
        {
            "id": {"type": ["string", "null"], "description": "Returned in the response"},
            "parameters": _PARAMETERS | {"properties": {"binary_data_output": _FLAG}},
            "inputs": array(ref("Tensor"), minItems=1),
            "outputs": {"anyOf": [array(ref("RequestedOutput")), {"type": "null"}], "description": "Default: all"},
        },
        "id", "parameters", "outputs",
    ),
    "RequestedOutput": object_schema(
        {"name": STRING, "parameters": _PARAMETERS | {"properties": {"binary_data": _FLAG}}}, "parameters"
    ),
    "InferResponse": object_schema(
        {"model_name": STRING, "model_version": STRING, "id": STRING, "outputs": array(ref("Tensor"))}, "id"
    ),
    "ModelMetadata": object_schema(
        {
            "name": STRING, "versions": array(STRING), "platform": STRING,
            "inputs": array(_TENSOR), "outputs": array(_TENSOR),
        }
    ),
    "Statistics": object_schema({"model_stats": array({"type": "object", "required": ["name", "version"]})}),
    "IndexEntry": object_schema(
        {"name": STRING, "version": STRING, "state": {"enum": ["READY", "UNAVAILABLE"]}, "reason": STRING}
    ),
    "Reload": object_schema(
        {
            "added": _IDS, "changed": _IDS, "removed": _IDS,
            "refused": {"type": "object", "additionalProperties": STRING, "description": "The reasons, by version"},
        }
    ),
}  # fmt: skip

_BODY = (400, 413, 415)


def about_server(schema: Schema) -> Operation:
    """Return the operation of a route about the server. `schema` is the schema of the response."""
    return Operation(GROUP, {200: ok(schema)})


def about_model(schema: Schema) -> Callable[[ModelRepository], Operation]:
    """Return a function that takes the repository, and returns the operation of a route about one model.

    `schema` is the schema of the response.
    """
    return lambda models: Operation(GROUP, {200: ok(schema), **errors(404)}, parameters=_parameters(models))


def infer_operation(models: ModelRepository) -> Operation:
    """Return the operation of an inference route."""
    return _infer(_parameters(models))


def change_operation(models: ModelRepository) -> Operation:
    """Return the operation of a route that loads or unloads a model."""
    return Operation(
        GROUP,
        {200: ok({"type": "object"}), **errors(403, 404, *_BODY)},
        body={JSON: {"type": "object"}},
        body_required=False,
        parameters=(_name(models),),
    )


INDEX = Operation(
    GROUP,
    {200: ok(array(ref("IndexEntry"))), **errors(*_BODY)},
    body={JSON: object_schema({"ready": {"type": "boolean", "description": "List only served versions"}}, "ready")},
    body_required=False,
)

RELOAD = Operation(
    GROUP,
    {200: ok(ref("Reload")), **errors(403, *_BODY)},
    body={JSON: {"type": "object"}},
    body_required=False,
    description="Not part of the protocol. If a changed version is refused, the version loaded before is still served.",
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
        "description": "The number of JSON bytes. Binary tensors follow the JSON. By default the whole body is JSON",
        "schema": COUNT,
    }
    tensors = {"type": "string", "format": "binary"}
    return Operation(
        GROUP,
        {
            200: ResponseObject(
                "The outputs",
                {JSON: ref("InferResponse"), OCTETS: tensors},
                {HEADER_LENGTH: "The number of JSON bytes"},
            ),
            **errors(404, *_BODY),
        },
        body={JSON: ref("InferRequest"), OCTETS: tensors},
        body_required=False,  # an empty body is a tensor without rows
        parameters=(*parameters, length),
        description="Tensors are JSON or, with the binary extension, bytes after the JSON. Bodies may be compressed.",
    )
