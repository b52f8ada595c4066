"""The whole description: OpenAPI 3.1, made of the app's routes, the models' cards, and the table of operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import protocol
from .operations import COMPONENTS, GROUPS, Answer, Operation, Schema, errors
from .routes import Route

API_VERSION = "1.0"
"""The version of the API. OpenAPI wants one; which release of the software answers is nobody's business."""

UNKNOWN = Operation("Operation", {200: Answer("The answer")})
"""For a route that an application has added to the service and that nobody has described."""

# From the server or the hooks, whatever the route: a host that is not served, limits, a stop.
_ALWAYS = errors(400, 429, 503, 504)

_HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "description": "The id that the request came with, or a new one; it also stands in the log",
        "schema": {"type": "string"},
    },
    "X-Response-Time-ms": {"description": "Milliseconds in the service", "schema": {"type": "string"}},
    "Server-Timing": {"description": "Parse, validate, infer, encode, in milliseconds", "schema": {"type": "string"}},
}

_KEYS: dict[str, Schema] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def describe_api(
    routes: Sequence[Route],
    operations: Mapping[str, Operation],
    *,
    root: str = "",
    open_to_all: Collection[str] | None = None,
) -> Schema:
    """Return the description as JSON has it; `root` is where the app is mounted, without a slash at its end.

    `open_to_all` are the rules that need no API key, None if there is no key at all.
    """
    paths: dict[str, Schema] = {}
    for route in routes:
        locked = open_to_all is not None and route.rule not in open_to_all
        described = _operation(route, operations.get(route.key, UNKNOWN), locked)
        paths.setdefault(route.path, {})[route.method.lower()] = described
    components = {"schemas": {**COMPONENTS, **protocol.COMPONENTS}, "headers": _HEADERS}
    return {
        "openapi": "3.1.1",
        "info": {"title": "wsgi_core", "version": API_VERSION, "description": "ONNX models behind a WSGI application."},
        "servers": [{"url": root or "/"}],
        "tags": [{"name": name, "description": text} for name, text in GROUPS.items()],
        "paths": paths,
        "components": components if open_to_all is None else {**components, "securitySchemes": _KEYS},
    }


def group_routes(routes: Iterable[Route], operations: Mapping[str, Operation]) -> dict[str, list[Route]]:
    """Return the routes under their headings; a heading without routes is left out."""
    groups: dict[str, list[Route]] = {name: [] for name in GROUPS}
    for route in routes:
        operation = operations.get(route.key, UNKNOWN)
        groups[operation.group].append(replace(route, summary=operation.summary or route.summary))
    return {name: found for name, found in groups.items() if found}


def _operation(route: Route, operation: Operation, locked: bool) -> Schema:
    answers = {**_ALWAYS, **(errors(401) if locked else {}), **operation.answers}
    described: Schema = {
        "operationId": "_".join([route.method.lower(), route.endpoint.replace(".", "_"), *route.variables]),
        "summary": operation.summary or route.summary,
        "tags": [operation.group],
        "responses": {str(code): _response(answer) for code, answer in sorted(answers.items())},
    }
    if locked:
        described["security"] = [{name: []} for name in _KEYS]
    if operation.description:
        described["description"] = operation.description
    if parameters := _parameters(route, operation):
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {"required": operation.body_required, "content": _content(operation.body)}
    return described


def _response(answer: Answer) -> Schema:
    headers: Schema = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    for name, text in answer.headers.items():
        headers[name] = {"description": text, "schema": {"type": "string"}}
    content = {"content": _content(answer.content)} if answer.content else {}
    return {"description": answer.description, "headers": headers, **content}


def _content(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {content_type: {"schema": schema} for content_type, schema in schemas.items()}


def _parameters(route: Route, operation: Operation) -> list[Schema]:
    """Those that are described, and every part of the path that is not."""
    described = [each for each in operation.parameters if each["in"] != "path" or each["name"] in route.variables]
    named = {each["name"] for each in described if each["in"] == "path"}
    plain = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in route.variables.items()
        if name not in named
    ]
    return [*plain, *described]
