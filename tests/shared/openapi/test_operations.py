"""The description of a route is beside its view, with valid JSON Schemas."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from wsgi_core.inference import ModelRepository
from wsgi_core.shared.openapi import Route, operations
from wsgi_core.shared.openapi.operations import (
    FILE,
    JSON,
    Operation,
    ResponseObject,
    array,
    describe,
    error,
    errors,
    object_schema,
    ok,
    page,
    ref,
)

ROUTE = Route("GET", "/a", "a", "")


def test_every_route_is_described_and_every_description_has_its_route(routes: list[Route], table: Any):
    assert {route.key for route in routes} == set(table)


def test_a_view_keeps_what_describes_it_and_stays_what_it_is():
    operation = Operation("Pages", {200: ResponseObject("x")})

    def view() -> str:
        return "answer"

    described = describe(operation)(view)
    assert described is view
    assert described() == "answer"
    assert operations([ROUTE], {"a": view}, ModelRepository()) == {ROUTE.key: operation}


def test_a_description_that_depends_on_the_models_is_made_of_those_there_are():
    @describe(lambda models: Operation("Pages", {200: ResponseObject(", ".join(model.id for model in models.models))}))
    def view() -> None: ...

    models = ModelRepository()
    before = operations([ROUTE], {"a": view}, models)[ROUTE.key].responses[200].description
    models.unload("churn")
    after = operations([ROUTE], {"a": view}, models)[ROUTE.key].responses[200].description
    assert "churn/1" in before
    assert "churn/1" not in after


def test_a_static_file_is_described_and_a_silent_view_is_not():
    static = Route("GET", "/static/<path:filename>", "static", "")
    views = {"static": lambda filename: None, "a": lambda: None}
    assert operations([static, ROUTE], views, ModelRepository()) == {static.key: FILE}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({"name": "x"}, True), ({"name": "x", "many": []}, True), ({}, False), ({"name": 1}, False),
        ({"name": "x", "many": ["a", "b", "c"]}, False), ({"name": "x", "many": [1]}, False),
    ],
)  # fmt: skip
def test_a_record_requires_all_but_its_optional_properties(value: Any, valid: bool):
    schema = object_schema({"name": {"type": "string"}, "many": array({"type": "string"}, maxItems=2)}, "many")
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(value) is valid


def test_an_error_has_its_schema_and_says_when_to_try_again():
    found = errors(404, 422, 429, 503)
    assert [found[code].content[JSON] for code in (404, 422)] == [ref("Error"), ref("InvalidFields")]
    assert [bool(answer.headers) for answer in found.values()] == [False, False, True, True]
    assert error(422, "LoanErrors").content[JSON] == ref("LoanErrors")
    assert page(404).responses.keys() == {200, 404}
    assert ok({}).content == {JSON: {}}
