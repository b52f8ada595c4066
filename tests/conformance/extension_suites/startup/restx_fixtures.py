"""Fixtures for the tests of Flask-RESTX. Its source distribution does not include the conftest.py that defines them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def app() -> Any:
    """An application whose test client has methods for JSON."""
    from flask import Flask
    from flask.testing import FlaskClient

    class Client(FlaskClient):
        def get_json(self, url: str, status: int = 200, **options: Any) -> Any:
            return read(self.get(url, **options), status)

        def post_json(self, url: str, data: Any, status: int = 200, **options: Any) -> Any:
            return read(self.post(url, json=data, **options), status)

        def get_specs(self, prefix: str = "", status: int = 200, **options: Any) -> Any:
            return self.get_json(f"{prefix}/swagger.json", status, **options)

    made = Flask(__name__)
    made.test_client_class = Client
    return made


def read(response: Any, status: int) -> Any:
    """Check the status and the content type of a response, and return its JSON."""
    assert response.status_code == status
    assert response.content_type == "application/json"
    return response.get_json()


@pytest.fixture
def api(request: pytest.FixtureRequest, app: Any) -> Any:
    """An API on a blueprint of the application. The marker `api` has the API's options and the blueprint's prefix."""
    from flask import Blueprint
    from flask_restx import Api

    marker = request.node.get_closest_marker("api")
    options = dict(marker.kwargs) if marker else {}
    blueprint = Blueprint("api", __name__, url_prefix=options.pop("prefix", None))
    made = Api(blueprint, **options)
    app.register_blueprint(blueprint)
    return made


@pytest.fixture(autouse=True)
def _request_of_the_marker(request: pytest.FixtureRequest) -> Iterator[None]:
    """Push a request context if the test has the marker `request_context`, which has its arguments."""
    marker = request.node.get_closest_marker("request_context")
    if marker is None:
        yield
        return
    with request.getfixturevalue("app").test_request_context(*marker.args, **marker.kwargs):
        yield
