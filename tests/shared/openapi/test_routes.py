"""Routes are listed in OpenAPI's syntax."""

from __future__ import annotations

import pytest
from werkzeug.routing import Rule

from wsgi_core.shared.openapi import Route, list_routes


def view() -> None:
    """Says what it does.

    And more.
    """


def silent() -> None: ...


def test_every_method_is_a_route_but_those_that_come_by_themselves():
    rules = [Rule("/b", endpoint="b", methods=["GET", "POST", "OPTIONS"]), Rule("/a", endpoint="a", methods=["PUT"])]
    routes = list_routes(rules, {"a": silent, "b": view})
    assert [route.key for route in routes] == ["PUT /a", "GET /b", "POST /b"]
    assert [route.summary for route in routes] == ["", "Says what it does", "Says what it does"]


@pytest.mark.parametrize(
    ("rule", "path", "variables"),
    [
        ("/a", "/a", {}),
        ("/a/<name>", "/a/{name}", {"name": "string"}),
        ("/<path:p>/x/<int:n>", "/{p}/x/{n}", {"p": "string", "n": "integer"}),
        ("/<string(length=2):code>", "/{code}", {"code": "string"}),
    ],
)
def test_variable_parts_are_written_in_braces(rule: str, path: str, variables: dict[str, str]):
    route = Route("GET", rule, "endpoint", "")
    assert route.path == path
    assert {name: schema["type"] for name, schema in route.variables.items()} == variables
