"""An application that is independent of this project is observed, and the server responds to health checks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import bottle
import falcon
import flask
import pytest
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wsgi import wrap_file

from wsgi_core.serving.monitoring import ROUTE, MonitoredApplication
from wsgi_core.shared.observability.metrics import process_metrics
from wsgi_core.shared.settings import Settings


def monitored(app: Any) -> tuple[MonitoredApplication, Client]:
    made = MonitoredApplication(app, Settings(app="x", health_path="/up", metrics_path="/internal/metrics"))
    return made, Client(made)


def flask_app() -> Any:
    app = flask.Flask("tests")
    app.add_url_rule("/items/<int:number>", view_func=lambda number: f"{number}", endpoint="item")
    return app


def bottle_app() -> Any:
    app = bottle.Bottle()
    app.route("/items/<number:int>")(lambda number: f"{number}")
    return app


def falcon_app() -> Any:
    class Item:
        def on_get(self, request: Any, response: Any, number: str) -> None:
            request.env[ROUTE] = request.uri_template
            response.text = number

    app = falcon.App()
    app.add_route("/items/{number:int}", Item())
    return app


@pytest.mark.parametrize(
    ("make", "template"),
    [(flask_app, "/items/<int:number>"), (bottle_app, "/items/<number:int>"), (falcon_app, "/items/{number:int}")],
    ids=["flask", "bottle", "falcon"],
)
def test_requests_are_counted_by_the_template_that_the_framework_tells(make: Any, template: str):
    _, client = monitored(make())
    with client.get("/items/17", headers={"X-Request-ID": "mine"}) as response:
        assert response.headers["X-Request-ID"] == "mine"
    page = client.get("/internal/metrics").text
    assert f'http_route="{template}"' in page
    assert "/items/17" not in page


def test_health_is_answered_in_the_place_of_the_application_until_the_server_stops():
    app, client = monitored(lambda environ, start_response: pytest.fail("the application was asked"))
    assert client.get("/up").text == "ok"
    assert client.head("/up").status_code == 200
    assert client.post("/up").status_code == 405
    app.extensions["readiness"].stop()
    assert client.get("/up").status_code == 503


def test_a_header_of_the_application_is_kept():
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("204 No Content", [("x-request-id", "its own")])
        return []

    _, client = monitored(app)
    assert client.get("/").headers.get_all("X-Request-ID") == ["its own"]


class Broken:
    """A body whose close() raises an exception."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x"])

    def close(self) -> None:
        raise RuntimeError("close")


@pytest.mark.parametrize("body", [Broken(), None, 5])
def test_a_request_is_no_longer_active_whatever_the_application_returns(body: Any):
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return body

    made, _ = monitored(app)
    before = len(process_metrics().active)
    with pytest.raises((RuntimeError, TypeError)):
        made(EnvironBuilder().get_environ(), lambda *args: None).close()  # type: ignore[attr-defined]
    assert len(process_metrics().active) == before


def test_a_stream_counts_as_active_until_it_is_closed():
    closed = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    _, client = monitored(app)
    before = len(process_metrics().active)
    response = client.get("/", buffered=False)
    assert next(iter(response.response)) == b"a"
    assert len(process_metrics().active) == before + 1
    response.close()
    assert closed == [True]
    assert len(process_metrics().active) == before


def test_an_error_is_raised_to_the_server_and_counted():
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("mine")

    _, client = monitored(app)
    before = len(process_metrics().active)
    with pytest.raises(RuntimeError, match="mine"):
        client.get("/")
    assert len(process_metrics().active) == before


def test_the_server_sees_the_bodies_that_it_sends_in_its_own_way(tmp_path: Any):
    class Wrapper:
        def __init__(self, file: Any, size: int = 8192) -> None:
            self.file = file

    file = (tmp_path / "f").open("wb")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return wrap_file(environ, file)

    made, _ = monitored(app)
    body = made({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.file_wrapper": Wrapper}, lambda *args: None)
    assert isinstance(body, Wrapper)
    file.close()
