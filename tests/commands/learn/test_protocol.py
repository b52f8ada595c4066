"""The strict server reports what PEP 3333 forbids, and accepts what PEP 3333 allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client, create_environ

from wsgi_core.commands.learn.protocol import StrictServer


def answers(status: str = "200 OK", headers: Any = (), value: Any = None, before: Any = None) -> Callable[..., Any]:
    """Return an application that may change the environ first, and then responds with the given values."""

    def application(environ: Any, start_response: Any) -> Any:
        if before:
            before(environ)
        start_response(status, list(headers))
        return [b"x"] if value is None else value

    return application


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda stream: stream.read(), "without a length"),
        (lambda stream: stream.read(-1), "without a length"),
        (lambda stream: stream.read(4), "had only 3 left"),
        (lambda stream: (stream.read(2), stream.read(2)), "had only 1 left"),
        (lambda stream: list(stream), "without a length"),
    ],
)
def test_reading_beyond_the_body_is_broken(read: Callable[[Any], object], said: str):
    server = StrictServer(answers(before=lambda environ: read(environ["wsgi.input"])))
    Client(server).post("/", data=b"abc").close()
    (broken,) = server.broken
    assert said in broken
    assert "forever" in broken


def test_the_body_is_read_in_parts_and_nothing_is_broken():
    seen: list[bytes] = []

    def read(environ: Any) -> None:
        seen.extend(environ["wsgi.input"].read(size) for size in (1, 2, 0))

    server = StrictServer(answers(before=read))
    Client(server).post("/", data=b"abc").close()
    assert (seen, server.broken) == ([b"a", b"bc", b""], [])


def test_start_response_may_be_called_again_with_an_error_alone():
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError as error:
            start_response("500 Internal Server Error", [], (type(error), error, error.__traceback__))
        return [b"x"]

    def twice(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return answers()(environ, start_response)

    allowed, forbidden = StrictServer(application), StrictServer(twice)
    for server in (allowed, forbidden):
        result = server(create_environ(), lambda status, headers, exc_info=None: lambda data: None)
        assert list(result) == [b"x"]
        result.close()  # type: ignore[attr-defined]
    assert allowed.broken == []
    assert forbidden.broken == ["start_response was called twice. It may be called once for each request."]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_a_response_may_have_no_content_type_and_gets_none(status: str):
    response = Client(StrictServer(answers(status, value=[]))).get("/")
    response.close()
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize(
    "application",
    [answers("200"), answers(200), answers(value="text"), answers(value=[1]), answers(headers=[("A", 1)])],
    ids=["no reason", "a number", "a string", "no bytes", "a header that is a number"],
)
def test_what_wsgi_forbids_raises(application: Any):
    with pytest.raises((AssertionError, Warning)):
        Client(StrictServer(application)).get("/", buffered=True)
