"""Fixtures for the tests of the OpenAPI description: the service's routes and operations."""

from __future__ import annotations

from typing import Any

import pytest

from wsgi_core.shared.openapi import Route, list_routes, operations


@pytest.fixture
def app(services: dict[str, Any]) -> Any:
    return services["wsgi_core"]


@pytest.fixture
def routes(app: Any) -> list[Route]:
    return list_routes(app.url_map.iter_rules(), app.view_functions)


@pytest.fixture
def table(app: Any) -> Any:
    routes = list_routes(app.url_map.iter_rules(), app.view_functions)
    return operations(routes, app.view_functions, app.extensions["models"])
