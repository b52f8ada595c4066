"""The service on each framework in turn."""

from __future__ import annotations

from typing import Any

import pytest

import flask_equiv.service
import wsgi_core.service


@pytest.fixture(params=[wsgi_core.service, flask_equiv.service], ids=lambda module: module.__name__.split(".")[0])
def create_app(request: pytest.FixtureRequest) -> Any:
    """`create_app` of each twin in turn, so that a test with this fixture runs on both."""
    return request.param.create_app
