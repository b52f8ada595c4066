"""The OpenAPI description of one route: its request bodies, its responses, and its heading.

Names follow OpenAPI: a schema is a JSON Schema (2020-12) as a dict.
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
"""The status codes of errors in a request to a model."""
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of a route: its meaning, and the schema of its body by content type. No content means no body."""

    description: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """OpenAPI data for one method of a route: only what cannot be derived from the route.

    `group` is a key of `GROUPS`. `body` maps content types to schemas. If `body` is empty, the route takes no body.
    `parameters` are OpenAPI parameter objects. Path variables that are not in `parameters` are described by their
    converters. `summary` replaces the docstring's first line, for views that are not written in this project.
    """

    group: str
    answers: Mapping[int, Answer]
    body: Mapping[str, Schema] = field(default_factory=dict)
    body_required: bool = True
    parameters: tuple[Schema, ...] = ()
    description: str = ""
    summary: str = ""


GROUPS = {
    "Predictions": "The routes of the tutorials: JSON in, JSON out.",
    "Open Inference Protocol": "Version 2 over REST, as tritonclient and the kserve client speak it.",
    "Operation": "Health and figures, for probes and scrapers.",
    "Pages": "For people: a start page, demos, and this description.",
}
"""The headings, in the order in which they appear."""


def ref(name: str) -> Schema:
    """Return a reference to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """Return the schema of an object with these properties. All properties except `optional` are required."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties)} | ({"required": required} if required else {})


def array(items: Schema, **limits: Any) -> Schema:
    """Return the schema of a list of `items`. `limits` are JSON Schema's `minItems` and `maxItems`."""
    return {"type": "array", "items": items, **limits}


def good(schema: Schema, description: str = "The answer", content_type: str = JSON) -> Answer:
    """Return the description of a response with status 200 and a body of this schema."""
    return Answer(description, {content_type: schema})


_ERRORS = {
    400: "The request is malformed: no JSON, another shape, or something is missing",
    401: "The signature is missing or wrong",
    403: "The operator has not allowed this",
    404: "There is no such model, version or address",
    409: "The state of the service does not allow this now",
    411: "The length of the body is not declared",
    413: "The body is larger than the service takes",
    415: "Another content type or encoding than the service takes",
    422: "Everything is there, but a value cannot be",
    429: "Too many requests; try again after the time in Retry-After",
    503: "Not now: the service is full or stopping, or has not what this needs",
    504: "The time for the request is over",
}


def errors(*codes: int) -> dict[int, Answer]:
    """Return the error responses for these status codes. Their body is `{"error": ...}`."""
    return {code: error(code) for code in codes}


def error(code: int, schema: str = "") -> Answer:
    """Return one error response. By default, the body of a 422 also lists the invalid fields."""
    name = schema or ("InvalidFields" if code == 422 else "Error")
    headers = {"Retry-After": "How many seconds to wait"} if code in {429, 503} else {}
    return Answer(_ERRORS[code], {JSON: ref(name)}, headers)


COMPONENTS: dict[str, Schema] = {
    "Error": record({"error": {"type": "string", "description": "What is wrong, in one line"}}),
    "FieldProblem": record(
        {
            "field": {"type": "string", "examples": ["instances[3].tenure_months"]},
            "message": {"type": "string", "examples": ["must be a number from 0 to 120 (months), got a string"]},
        }
    ),
    "LoanErrors": record({"errors": array(ref("FieldProblem"))}),
    "InvalidFields": record({"error": {"type": "string"}, "fields": array(ref("FieldProblem"))}),
}
"""The schemas that several responses share."""

FILE = Operation(
    "Pages",
    {
        200: Answer("The file", {"*/*": {}}),
        206: Answer("The part that Range asked for", {"*/*": {}}),
        304: Answer("Not changed since"),
        416: Answer("There is no such part", {JSON: ref("Error")}),
        **errors(404),
    },
    summary="Styles and scripts",
)
"""The operation of a route that sends a file."""


def page(*codes: int, description: str = "") -> Operation:
    """Return the operation of a route that responds with an HTML page, or with one of these error codes."""
    answers = {200: good(STRING, "The page", HTML), **errors(*codes)}
    return Operation("Pages", answers, description=description)


def describe(operation: Operation | Callable[[ModelRepository], Operation]) -> Callable[[View], View]:
    """Attach an operation to a view. Use it as the decorator `@describe(...)` below the route.

    If the operation depends on the models, pass a function instead. The function is called with the repository.
    """

    def attach(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return attach


def operations(
    routes: Iterable[Route], views: Mapping[str, Callable[..., Any]], models: ModelRepository
) -> dict[str, Operation]:
    """Return the operations of all routes whose views have one, keyed by `Route.key`.

    Operations that depend on the models describe the models that are served at the time of the call.
    """
    found: dict[str, Operation] = {}
    for route in routes:
        operation = getattr(views[route.endpoint], "operation", None)
        if operation is None and route.endpoint.endswith("static"):
            operation = FILE
        if operation is not None:
            found[route.key] = operation if isinstance(operation, Operation) else operation(models)
    return found
