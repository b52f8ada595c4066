"""The description is valid OpenAPI 3.1, has every route of the service, and matches its responses."""

from __future__ import annotations

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from wsgi_core.shared.openapi import Route, describe_api, group_routes
from wsgi_core.shared.openapi.operations import GROUPS


def test_the_description_is_valid(routes: list[Route], table: Any):
    for key in (None, {"/healthz"}):
        OpenAPIV31SpecValidator(describe_api(routes, table, open_to_all=key)).validate()


def test_every_operation_tells_of_success_and_of_a_full_server(routes: list[Route], table: Any):
    for path, methods in describe_api(routes, table)["paths"].items():
        for method, operation in methods.items():
            codes = set(operation["responses"])
            assert codes & {"200", "202"}, (method, path)
            assert {"400", "429", "503"} <= codes, (method, path)
            assert operation["summary"], (method, path)
            assert operation["tags"][0] in GROUPS
            if "{" in path:
                assert "404" in codes, (method, path)
            if "requestBody" in operation and path != "/predict/stream":
                assert "413" in codes, (method, path)


def test_no_operation_has_the_name_of_another(routes: list[Route], table: Any):
    document = describe_api(routes, table)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


def test_a_stream_says_that_its_body_has_a_limit(routes: list[Route], table: Any):
    answers = describe_api(routes, table)["paths"]["/predict/stream"]["post"]["responses"]
    assert {"200", "400", "404", "413", "415"} <= set(answers)


def test_where_a_key_is_needed_all_but_the_open_routes_say_so(routes: list[Route], table: Any):
    paths = describe_api(routes, table, open_to_all={"/healthz"})["paths"]
    assert "security" not in paths["/healthz"]["get"]
    assert paths["/predict"]["post"]["security"] == [{"key": []}, {"bearer": []}]
    assert "401" in paths["/predict"]["post"]["responses"]
    assert "401" not in describe_api(routes, table)["paths"]["/predict"]["post"]["responses"]


def test_the_app_may_be_mounted_below_a_path(routes: list[Route], table: Any):
    assert describe_api(routes, table)["servers"] == [{"url": "/"}]
    assert describe_api(routes, table, root="/app")["servers"] == [{"url": "/app"}]


def test_a_route_that_nobody_described_is_there_all_the_same(table: Any):
    added = Route("GET", "/extra/<name>", "extra", "Mine")
    document = describe_api([added], table)
    assert document["paths"]["/extra/{name}"]["get"]["parameters"][0]["name"] == "name"
    OpenAPIV31SpecValidator(document).validate()
    assert group_routes([added], table) == {"Operation": [added]}
