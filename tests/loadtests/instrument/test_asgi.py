"""ASGI applications are called and timed in process as WSGI applications are, with their own driver."""

import pytest

from loadtests.instrument import asgi
from loadtests.instrument.driver import Response, WrongResponse
from loadtests.instrument.request import json_request

REQUEST = json_request("/predict", {})


def saying(status=200, headers=((b"X-One", b"1"),), body=(b"a", b"b"), seen=None):
    async def app(scope, receive, send):
        message = await receive()
        if seen is not None:
            seen.append((scope, message))
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for part in body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    return app


def test_an_answer_has_the_form_of_a_wsgi_one():
    assert asgi.AsgiTarget(saying(404)).ask(REQUEST) == Response("404 Not Found", [("x-one", "1")], b"ab")


def test_the_application_gets_method_path_headers_and_body():
    seen = []
    asgi.AsgiTarget(saying(seen=seen)).ask(REQUEST)
    (scope, message) = seen[-1]
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("POST", "/predict", b"/predict")
    assert dict(scope["headers"])[b"content-length"] == b"2"
    assert dict(scope["headers"])[b"content-type"] == b"application/json"
    assert message == {"type": "http.request", "body": b"{}", "more_body": False}


def test_each_request_gets_a_scope_of_its_own():
    scopes = asgi.ScopeMaker([REQUEST])
    (first, *_), (second, *_) = scopes.make(), scopes.make()
    first["seen"] = True
    first["headers"].clear()
    assert "seen" not in second
    assert second["headers"]


def test_a_block_counts_its_requests_and_ends_at_a_wrong_status():
    target = asgi.AsgiTarget(saying())
    target.prepare([REQUEST], ["200 OK"], 0)
    block = target.block(5)
    assert block.requests == 5
    assert block.wall_ns > 0
    target.prepare([REQUEST], ["404 NOT FOUND"], 0)
    with pytest.raises(WrongResponse, match="expected 404, got 200"):
        target.block(1)


def test_an_application_that_never_answers_is_found():
    async def silent(scope, receive, send):
        pass

    target = asgi.AsgiTarget(silent)
    target.prepare([REQUEST], ["200 OK"], 0)
    with pytest.raises(WrongResponse):
        target.ask(REQUEST)
    with pytest.raises(WrongResponse):
        target.block(1)
