"""/predict/stream on each framework: its own limit of the body, and results while the body is still being received."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

import flask_equiv.service
from tests.conformance import wire
from tests.conformance.cases import GOOD
from wsgi_core import service
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.streaming import EVENTS, LINES

LINE = json.dumps(GOOD).encode() + b"\n"
LIMIT = 40 * len(LINE)


@pytest.fixture(scope="module")
def apps() -> dict[str, Any]:
    settings = Settings(max_content_length=1000, stream_max_content_length=LIMIT)
    modules = {"wsgi_core": service, "flask": flask_equiv.service}
    return {name: module.create_app(settings=settings) for name, module in modules.items()}


@pytest.fixture(params=["wsgi_core", "flask"])
def app(request: pytest.FixtureRequest, apps: dict[str, Any]) -> Any:
    return apps[request.param]


def environ(body: bytes, **changes: Any) -> dict[str, Any]:
    return {**wire.environ("POST", "/predict/stream", {"Content-Type": LINES}, body), **changes}


def test_it_has_a_limit_of_its_own(app: Any):
    assert app.test_client().post("/predict", json={**GOOD, "note": "x" * 1000}).status_code == 413
    response = app.test_client().post("/predict/stream", data=LINE * 39, content_type=LINES)
    assert response.status_code == 200
    assert response.mimetype == LINES
    assert response.headers["X-Accel-Buffering"] == "no"
    assert len(response.data.splitlines()) == 39
    assert app.test_client().post("/predict/stream", data=LINE * 41, content_type=LINES).status_code == 413


def test_over_the_limit_without_a_length_the_answer_ends_with_an_error(app: Any):
    made = environ(LINE * 41) | {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    del made["CONTENT_LENGTH"]
    lines = [json.loads(line) for line in wire.call(app, made).body.splitlines()]
    assert "error" in lines[-1]
    assert all("churn_probability" in line for line in lines[:-1])


def test_a_client_that_leaves_in_the_middle_gets_no_more(app: Any):
    answer = wire.call(app, environ(LINE * 4, **{"wsgi.input": io.BytesIO(LINE * 2)}))
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert ["error" in line for line in lines] == [False, False, True]


def test_nothing_is_read_before_the_answer_is_asked_for(app: Any):
    body = io.BytesIO(LINE * 3)
    iterable = app(environ(LINE * 3, **{"wsgi.input": body}), lambda *started: None)
    assert body.tell() == 0
    assert b"churn_probability" in b"".join(iterable)
    iterable.close()


def test_accept_chooses_events(app: Any):
    client = app.test_client()
    for accept, mimetype in (
        (EVENTS, EVENTS),
        ("*/*", LINES),
        (f"{EVENTS};q=0.5, {LINES}", LINES),
        ("image/png", LINES),
    ):
        response = client.post("/predict/stream", data=LINE, content_type=LINES, headers={"Accept": accept})
        assert response.mimetype == mimetype
    assert response.text.count("\n") == 1


def test_other_bodies_are_415(app: Any):
    assert app.test_client().post("/predict/stream", json=GOOD).status_code == 415
