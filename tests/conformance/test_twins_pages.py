"""Pages, their files, the OpenAPI description and POST /digits: both services give the same responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.conformance import wire
from tests.conformance.wire import Answer
from tests.drawings import ONE
from tests.examples import examples
from tests.processes import Server

GETS = {
    "/": 200,
    "/?x=1": 200,
    "/demo/digits": 200,
    "/demo/sentiment": 200,
    "/demo/churn": 200,
    "/demo/churn/": 404,
    "/demo": 404,
    "/demo/static/page.css": 200,
    "/demo/static/digits.js": 200,
    "/demo/static/icon.svg": 200,
    "/demo/static/": 404,
    "/demo/static/none": 404,
    "/demo/static/../templates/index.html": 404,
    "/demo/static/%2e%2e/service.py": 404,
    "/demo/static/%00": 404,
    "/demo/static//etc/passwd": 404,
    "/docs": 200,
    "/docs/": 404,
    "/docs/swagger-ui.css": 200,
    "/docs/LICENSE": 404,
    "/docs/../__init__.py": 404,
    "/openapi.json": 200,
    "/openapi.json/": 404,
    "/digits": 405,
}

HEADERS: dict[str, Mapping[str, str]] = {
    "range": {"Range": "bytes=0-9"},
    "range at the end": {"Range": "bytes=-5"},
    "range beyond the end": {"Range": "bytes=999999-"},
    "odd range": {"Range": "bytes=x"},
    "changed since": {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
    "not changed since": {"If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"},
    "any tag": {"If-None-Match": "*"},
    "another tag": {"If-None-Match": '"x"'},
    "odd host": {"Host": "<a>b\\c"},
}

DRAWINGS: dict[str, tuple[int, bytes]] = {
    "a one": (200, json.dumps({"drawing": ONE}).encode()),
    "and more": (200, json.dumps({"drawing": ONE, "note": None}).encode()),
    "nothing": (400, b""),
    "no json": (400, b"{"),
    "no object": (400, b"[]"),
    "no drawing": (400, b"{}"),
    "a number": (422, b'{"drawing": 1}'),
    "one dot": (422, b'{"drawing": [[7]]}'),
    "two dots": (200, b'{"drawing": [[0, 255]]}'),
    "rows of other lengths": (422, b'{"drawing": [[0, 255], [0]]}'),
    "too large a number": (422, b'{"drawing": [[0, 1e400]]}'),
    "nan": (400, b'{"drawing": [[0, NaN]]}'),
    "too many rows": (422, json.dumps({"drawing": [[0]] * 257}).encode()),
    "deep": (400, b'{"drawing": ' + b"[" * 100_000),
}


def call_both(services: Mapping[str, Any], method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    core, twin = (
        wire.call(services[name], wire.environ(method, path, dict(headers), body)).comparable()
        for name in ("wsgi_core", "flask")
    )
    assert core == twin
    return core


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_addresses_are_answered_alike(services: dict[str, Any], method: str, path: str):
    assert call_both(services, method, path, {}, b"").code == GETS[path]


@pytest.mark.parametrize("path", [path for path, status in GETS.items() if status == 200])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_other_methods_are_answered_alike(services: dict[str, Any], method: str, path: str):
    assert call_both(services, method, path, {}, b"").code == (200 if method == "OPTIONS" else 405)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("path", ["/", "/demo/static/page.css", "/docs/swagger-ui.css", "/openapi.json"])
def test_conditional_and_odd_requests_are_answered_alike(services: dict[str, Any], path: str, name: str):
    assert call_both(services, "GET", path, HEADERS[name], b"").code in {200, 206, 304, 416}


@pytest.mark.parametrize("path", ["/", "/demo/digits", "/demo/static/ask.js", "/docs/swagger-ui.css", "/openapi.json"])
def test_pages_are_served_alike_behind_waitress(servers: dict[str, Server], path: str):
    sent = wire.request_bytes("GET", path, {}, b"")
    core, twin = (wire.exchange(servers[name].address, sent).comparable() for name in ("wsgi_core", "flask"))
    assert core == twin
    assert core.code == 200


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_answered_alike(services: dict[str, Any], name: str):
    status, body = DRAWINGS[name]
    answer = call_both(services, "POST", "/digits", {"Content-Type": "application/json"}, body)
    assert answer.code == status
    assert ("error" in json.loads(answer.body)) is (status != 200)


@examples(50, HealthCheck.function_scoped_fixture)
@given(rows=st.lists(st.lists(st.integers(-1, 256) | st.floats(0, 255), max_size=4), max_size=4) | st.none())
def test_any_drawing_is_answered_alike(services: dict[str, Any], rows: Any):
    body = json.dumps({"drawing": rows}).encode()
    answer = call_both(services, "POST", "/digits", {"Content-Type": "application/json"}, body)
    assert answer.code in {200, 422}
