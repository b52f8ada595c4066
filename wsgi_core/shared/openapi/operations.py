"""What is said about one route: which bodies it takes, what it can answer, under which heading it stands.

The words are OpenAPI's: a schema is a JSON Schema (2020-12) as a dict.
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
"""What can be wrong with a request that asks a model."""
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a route: what it means, and the schema of its body by content type (none: no body)."""

    description: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a route, as far as the code does not tell it already.

    `group` is one of `GROUPS`. `body` has a schema by content type; without one the route takes no body.
    `parameters` are OpenAPI's parameter objects; those of the path that are not named here are plain strings.
    `summary` is for views that are not written here; all others have a docstring.
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
"""The headings, in their order."""


def ref(name: str) -> Schema:
    """Refer to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """Return the schema of an object with these properties; all but the optional ones are required."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties)} | ({"required": required} if required else {})


def array(items: Schema, **limits: Any) -> Schema:
    """Return the schema of a list of such items, within JSON Schema's limits `minItems` and `maxItems`."""
    return {"type": "array", "items": items, **limits}


def good(schema: Schema, description: str = "The answer", content_type: str = JSON) -> Answer:
    """Return the description of a 200 with a body."""
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
    """Return the usual responses to a bad request: `{"error": ...}`."""
    return {code: error(code) for code in codes}


def error(code: int, schema: str = "") -> Answer:
    """Return one error; 422 also says which fields it is about."""
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
"""The schemas that more than one answer uses."""

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
    """Return the operation of a route that answers with a page, or with these errors."""
    answers = {200: good(STRING, "The page", HTML), **errors(*codes)}
    return Operation("Pages", answers, description=description)


def describe(operation: Operation | Callable[[ModelRepository], Operation]) -> Callable[[View], View]:
    """Attach its operation to a view, as `@describe(...)` below the route. A function is called with the models."""

    def attach(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return attach


def operations(
    routes: Iterable[Route], views: Mapping[str, Callable[..., Any]], models: ModelRepository
) -> dict[str, Operation]:
    """Return the operation of each route whose view has one, by the route's key, for the models as they are now."""
    found: dict[str, Operation] = {}
    for route in routes:
        operation = getattr(views[route.endpoint], "operation", None)
        if operation is None and route.endpoint.endswith("static"):
            operation = FILE
        if operation is not None:
            found[route.key] = operation if isinstance(operation, Operation) else operation(models)
    return found
