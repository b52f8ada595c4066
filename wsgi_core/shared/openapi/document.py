"""The complete OpenAPI 3.1 description, built from the routes and their operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import protocol
from .operations import COMPONENTS, GROUPS, Operation, ResponseObject, Schema, errors
from .routes import Route

API_VERSION = "1.0"
"""The version of the API, which OpenAPI requires. It is not the version of the software."""

UNKNOWN = Operation("Operation", {200: ResponseObject("The response")})
"""The operation of a route that has no entry in `operations`."""

# Errors that every route can return, for example for an untrusted host, at a limit, or during a shutdown.
_ALWAYS = errors(400, 429, 503, 504)

_HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "description": "The X-Request-ID of the request if it is valid, or a new id; the log has the same id",
        "schema": {"type": "string"},
    },
    "X-Response-Time-ms": {"description": "Time in the service, in milliseconds", "schema": {"type": "string"}},
    "Server-Timing": {"description": "The duration of each phase, in milliseconds", "schema": {"type": "string"}},
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
    """Return the OpenAPI description as a dict that can be written as JSON.

    operations: the operation of each route, by `Route.key`
    root: the path where the app is mounted, without a trailing slash
    open_to_all: the rules that need no API key, or None if the service has no API key
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
    """Return the routes by the name of their group. Groups without routes are omitted.

    `operations` maps each `Route.key` to an operation, which names the group. If an operation has a summary, the
    returned route has this summary.
    """
    groups: dict[str, list[Route]] = {name: [] for name in GROUPS}
    for route in routes:
        operation = operations.get(route.key, UNKNOWN)
        groups[operation.group].append(replace(route, summary=operation.summary or route.summary))
    return {name: found for name, found in groups.items() if found}


def _operation(route: Route, operation: Operation, locked: bool) -> Schema:
    responses = {**_ALWAYS, **(errors(401) if locked else {}), **operation.responses}
    described: Schema = {
        "operationId": "_".join([route.method.lower(), route.endpoint.replace(".", "_"), *route.variables]),
        "summary": operation.summary or route.summary,
        "tags": [operation.group],
        "responses": {str(code): _response(response) for code, response in sorted(responses.items())},
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


def _response(response: ResponseObject) -> Schema:
    headers: Schema = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    for name, text in response.headers.items():
        headers[name] = {"description": text, "schema": {"type": "string"}}
    content = {"content": _content(response.content)} if response.content else {}
    return {"description": response.description, "headers": headers, **content}


def _content(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {content_type: {"schema": schema} for content_type, schema in schemas.items()}


def _parameters(route: Route, operation: Operation) -> list[Schema]:
    """Return the OpenAPI parameters of a route: the variables of its path, and the other parameters of `operation`.

    If `operation` describes a variable, this description is used. Described path parameters that are not variables of
    this route are omitted, because several routes can share an operation.
    """
    described = [each for each in operation.parameters if each["in"] != "path" or each["name"] in route.variables]
    named = {each["name"] for each in described if each["in"] == "path"}
    plain = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in route.variables.items()
        if name not in named
    ]
    return [*plain, *described]
