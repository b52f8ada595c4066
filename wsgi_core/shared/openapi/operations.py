"""The OpenAPI description of one route: its request bodies, its responses, and its group.

The names are OpenAPI's. A schema is a JSON Schema (2020-12) as a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .routes import Route

if TYPE_CHECKING:
    from ...inference import ModelRepository

Schema = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain"

STRING: Schema = {"type": "string"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BODY_ERRORS = (400, 404, 413, 415, 422)
"""The status codes of errors in the body or the path of a request to a model."""
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ResponseObject:
    """One response of a route.

    content: the schema of the body by content type; if it is empty, the response has no body
    headers: the description of each header, by name
    """

    description: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """The part of an OpenAPI operation that cannot be derived from the route.

    group: a key of `GROUPS`
    responses: the responses by status code
    body: the schema of the request's body by content type; if it is empty, the route takes no body
    parameters: OpenAPI parameter objects; other variables of the path are described by their converters
    summary: the summary, or "" for the first line of the view's docstring
    """

    group: str
    responses: Mapping[int, ResponseObject]
    body: Mapping[str, Schema] = field(default_factory=dict)
    body_required: bool = True
    parameters: tuple[Schema, ...] = ()
    description: str = ""
    summary: str = ""


GROUPS = {
    "Predictions": "The routes of the tutorials. Requests and responses are JSON.",
    "Open Inference Protocol": "Version 2 over REST, for clients such as tritonclient and the KServe client.",
    "Operation": "Health checks and metrics.",
    "Pages": "For people: a start page, demos, and this description.",
}
"""The groups of operations (OpenAPI's tags) with their descriptions, in the order in which pages show them."""


def ref(name: str) -> Schema:
    """Return a reference to a schema in the components of the OpenAPI description."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_schema(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """Return the schema of an object with these properties. All properties are required except those in `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties)} | ({"required": required} if required else {})


def array(items: Schema, **limits: Any) -> Schema:
    """Return the schema of a list whose elements have the schema `items`. `limits` are `minItems` and `maxItems`."""
    return {"type": "array", "items": items, **limits}


def ok(schema: Schema, description: str = "The result", content_type: str = JSON) -> ResponseObject:
    """Return the description of a response with status 200 and a body of this schema."""
    return ResponseObject(description, {content_type: schema})


_ERRORS = {
    400: "The request is malformed: it is not JSON, has the wrong structure, lacks a part, or has the wrong Host",
    401: "The API key or the signature is missing or wrong",
    403: "The service is not configured to allow this request, or a page of another origin sent it",
    404: "There is no such model, version or path",
    409: "The state of the service does not allow this now",
    411: "The length of the body is not declared",
    413: "The body is larger than the limit",
    415: "The content type or content coding is not supported",
    422: "The request is complete, but a value is not valid",
    429: "Too many requests; try again after the time in Retry-After",
    503: "The service is overloaded, is shutting down, or lacks a model or a store that the request needs",
    504: "The request has timed out",
}


def errors(*codes: int) -> dict[int, ResponseObject]:
    """Return the descriptions of error responses (see `error`), by status code."""
    return {code: error(code) for code in codes}


def error(code: int, schema: str = "") -> ResponseObject:
    """Return the description of the error response with a status code.

    `schema` names the schema of the body in `COMPONENTS`. The default is `InvalidFields` for 422, otherwise `Error`.
    """
    name = schema or ("InvalidFields" if code == 422 else "Error")
    headers = {"Retry-After": "Seconds to wait before the next attempt"} if code in {429, 503} else {}
    return ResponseObject(_ERRORS[code], {JSON: ref(name)}, headers)


COMPONENTS: dict[str, Schema] = {
    "Error": object_schema({"error": {"type": "string", "description": "The reason, in one line"}}),
    "FieldProblem": object_schema(
        {
            "field": {"type": "string", "examples": ["instances[3].tenure_months"]},
            "message": {"type": "string", "examples": ["must be a number from 0 to 120 (months), got a string"]},
        }
    ),
    "LoanErrors": object_schema({"errors": array(ref("FieldProblem"))}),
    "InvalidFields": object_schema({"error": {"type": "string"}, "fields": array(ref("FieldProblem"))}),
}
"""Schemas of errors, by the name that `ref` takes."""

FILE = Operation(
    "Pages",
    {
        200: ResponseObject("The file", {"*/*": {}}),
        206: ResponseObject("The part that Range requested", {"*/*": {}}),
        304: ResponseObject("Not modified"),
        416: ResponseObject("The requested range does not exist", {JSON: ref("Error")}),
        **errors(404),
    },
    summary="Styles and scripts",
)
"""The operation of a route for static files."""


def page(*codes: int, description: str = "") -> Operation:
    """Return the operation of a route that responds with an HTML page, or with an error with one of `codes`."""
    responses = {200: ok(STRING, "The page", HTML), **errors(*codes)}
    return Operation("Pages", responses, description=description)


def describe(operation: Operation | Callable[[ModelRepository], Operation]) -> Callable[[View], View]:
    """Return a decorator that attaches an operation to a view.

    If the operation depends on the models, `operation` is a function that takes the repository and returns the
    operation.
    """

    def attach(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return attach


def operations(
    routes: Iterable[Route], views: Mapping[str, Callable[..., Any]], models: ModelRepository
) -> dict[str, Operation]:
    """Return the operations of the routes by `Route.key`.

    A route whose view has no operation is omitted, or gets `FILE` if its endpoint ends with `static`. Operations that
    depend on the models describe the models that are served now.
    """
    found: dict[str, Operation] = {}
    for route in routes:
        operation = getattr(views[route.endpoint], "operation", None)
        if operation is None and route.endpoint.endswith("static"):
            operation = FILE
        if operation is not None:
            found[route.key] = operation if isinstance(operation, Operation) else operation(models)
    return found
