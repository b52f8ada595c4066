"""Requests as a server passes them to the application, and the response as the server gets it."""

from __future__ import annotations

import typing as t

import wsgi_core
from tests.trace.apps import every_framework, new_app, seen
from wsgi_core.trace import build_environ, recording, trace


@every_framework
def test_the_answer_is_in_the_trace(fw: t.Any) -> None:
    result = trace(new_app(fw), "/")
    assert (result.status, result.body, result.raised) == ("200 OK", b"hello", None)
    assert ("Content-Length", "5") in result.headers


@every_framework
def test_what_the_caller_saw_raised_is_kept(fw: t.Any) -> None:
    app = new_app(fw)
    app.testing = True
    app.view_functions["index"] = lambda: {}["k"]
    result = trace(app, "/")
    assert isinstance(result.raised, KeyError)
    assert result.events[-1].name == "KeyError"


@every_framework
def test_each_trace_of_a_recording_has_the_events_of_its_own_request(fw: t.Any) -> None:
    app = new_app(fw)
    with recording(app) as recorded:
        first, second = (recorded.send(recorded.environ(path)) for path in ("/", "/nowhere"))
    assert [one.events[0].name for one in (first, second)] == ["GET /", "GET /nowhere"]
    assert recorded.events == [*first.events, *second.events]


def test_paths_arrive_as_a_server_passes_them_on() -> None:
    app = new_app(wsgi_core)
    assert build_environ(app, "/%ff%2F")["PATH_INFO"] == "/\xff/"
    assert build_environ(app, "/é")["PATH_INFO"] == "/é".encode().decode("latin1")
    assert build_environ(app, "/", environ_overrides={"PATH_INFO": "/a"})["PATH_INFO"] == "/a"
    assert build_environ(app, "https://example.com/a")["wsgi.url_scheme"] == "https"
    assert build_environ(app, "https://example.com/a")["HTTP_HOST"] == "example.com"
    for path in ("//x", "http://localhost//x"):
        assert build_environ(app, path=path)["PATH_INFO"] == build_environ(app, path)["PATH_INFO"] == "//x"
    assert build_environ(app, "//x?a=1")["QUERY_STRING"] == "a=1"
    assert build_environ(app, "//x")["HTTP_HOST"] == "localhost"
    assert trace(app, "//x").events[0].name == "GET //x"
    assert trace(app, "/é").events[0].name == "GET /é"
    assert trace(app, "/%ff").events[0].name == r"GET /\xff"


@every_framework
def test_traces_may_be_nested(fw: t.Any) -> None:
    outer, inner = new_app(fw), new_app(fw)
    with recording(outer) as recorded:
        result = trace(inner, "/")
        recorded.client().get("/")
    assert seen(result.events, "view") == seen(recorded.events, "view") == ["index"]
