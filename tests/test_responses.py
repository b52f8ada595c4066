"""A view's return value becomes a response: the core accepts and rejects the same values as Flask."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
import werkzeug
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    ImATeapot,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from werkzeug.wrappers import Response as BaseResponse

from tests.conformance import wire
from tests.conftest import CORE, FLASK, checked_client
from tests.environs import outcome
from tests.examples import examples


def wsgi(environ: Any, start_response: Any) -> Any:
    """A WSGI callable that is not a response object."""
    start_response("202 Fine", [("X-Wsgi", "1")])
    return [b"wsgi"]


BODIES: dict[str, Any] = {
    "text": lambda web: "é",
    "empty": lambda web: "",
    "bytes": lambda web: b"\xff",
    "bytearray": lambda web: bytearray(b"b"),
    "markup": lambda web: Markup("<b>"),
    "dict": lambda web: {"b": 1, "a": [None]},
    "list": lambda web: [1, {"a": 2}],
    "iterator": lambda web: iter(["a", "é"]),
    "generator": lambda web: (text for text in ("a", "b")),
    "response": lambda web: web.Response("r", 203, {"X-A": "old"}),
    "base response": lambda web: BaseResponse("b", 203, {"X-A": "old"}),
    "sansio response": lambda web: werkzeug.sansio.response.Response(203),
    "wsgi": lambda web: wsgi,
    "wsgi class": lambda web: type("Callable", (), {"__call__": lambda self, e, s: wsgi(e, s)})(),
    "error": lambda web: NotFound(),
    "none": lambda web: None,
    "number": lambda web: 5,
    "false": lambda web: False,
    "set": lambda web: {1},
    "function": lambda web: lambda: "no wsgi",
    "type": lambda web: int,
    "tuple": lambda web: ("a", 201),
}
statuses = st.sampled_from([None, 201, 204, "202", "203 Mine", b"205 Bytes", 600, "", "wow", 1.5, [("X-A", "b")], {}])
headers = st.sampled_from(
    [None, {}, {"X-A": "new"}, [("X-A", "1"), ("X-A", "2")], (("X-B", "1"),), {"Content-Type": "text/css"},
     {"X-C": ["1", "2"]}, "no headers", 5, {"X-A": "a\nb"}]
)  # fmt: skip
shapes = st.one_of(
    st.just(()), st.tuples(st.one_of(statuses, headers)), st.tuples(statuses, headers), st.just((1, 2, 3))
)


@examples(500)
@given(body=st.sampled_from(sorted(BODIES)), shape=shapes, wrapped=st.booleans())
def test_return_values_become_flasks_responses(body: str, shape: Any, wrapped: bool):
    def made(web: Any) -> Any:
        app = web.app()
        app.config["PROPAGATE_EXCEPTIONS"] = True
        value = BODIES[body](web)

        @app.route("/")
        def index() -> Any:
            return (value, *shape) if shape or wrapped else value

        try:
            answer = wire.call(app, wire.environ("GET", "/", {}, b""))
        except Exception as e:
            return type(e).__name__
        return answer.status, answer.headers, answer.body

    assert made(CORE) == made(FLASK)


@given(body=st.sampled_from(sorted(BODIES)), shape=shapes)
def test_make_response_takes_the_same_as_arguments(body: str, shape: Any):
    def made(web: Any) -> Any:
        with web.app().test_request_context():
            try:
                response = web.make_response(BODIES[body](web), *shape)
            except Exception as e:
                return type(e).__name__
            return response.status, list(response.headers), outcome(response.get_data)

    assert made(CORE) == made(FLASK)


def test_make_response_of_nothing_is_empty(web: Any):
    with web.app().test_request_context():
        assert web.make_response().get_data() == b""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "either returned None or ended without a return"),
        (5, "but it was a int"),
        (("a", 1, {}, 2), "response tuple"),
        (("a",), "response tuple"),
        (lambda: None, "WSGI callable"),
    ],
)
def test_what_is_no_response_is_explained(web: Any, value: Any, says: str):
    app = web.app()
    app.testing = True
    app.add_url_rule("/", "index", lambda: value)
    with pytest.raises(TypeError, match=says.replace("(", "\\(")):
        app.test_client().get("/")


def test_a_response_class_of_ones_own_is_used(web: Any):
    class Own(web.Response):
        default_mimetype = "text/plain"

    app = web.app()
    app.response_class = Own
    app.add_url_rule("/", "index", lambda: "x")
    app.add_url_rule("/base", "base", lambda: web.Response("x"))
    for path in ("/", "/base"):
        app_response = app.test_client().get(path)
        assert app_response.mimetype == ("text/plain" if path == "/" else "text/html")


def test_a_response_class_gets_keyword_arguments(web: Any):
    class Own(web.Response):
        def __init__(self, response: Any = None, **kwargs: Any) -> None:
            given.append(kwargs)
            super().__init__(response, **kwargs)

    given: list[dict[str, Any]] = []
    app = web.app()
    app.response_class = Own
    with app.test_request_context():
        app.make_response("x")
        app.make_response(("x", 201, {"X-A": "1"}))
        app.json.response({})
    assert given == [
        {"status": None, "headers": None},
        {"status": 201, "headers": {"X-A": "1"}},
        {"mimetype": "application/json"},
    ]


def test_streams_are_sent_chunk_by_chunk_and_closed(web: Any):
    closed: list[bool] = []

    class Chunks:
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> str:
            return "x"

        def close(self) -> None:
            closed.append(True)

    app = web.app()
    app.add_url_rule("/", "index", lambda: Chunks())
    iterable = app(wire.environ("GET", "/", {}, b""), lambda *args: lambda data: None)
    assert next(iter(iterable)) == b"x"
    iterable.close()
    assert closed == [True]


def test_headers_are_added_to_and_replaced(web: Any):
    app = web.app()
    response = web.Response("r", headers=[("X-A", "1"), ("X-A", "2")])
    app.add_url_rule("/", "index", lambda: (response, Headers([("X-A", "3"), ("X-B", "4")])))
    got = checked_client(app).get("/")
    assert got.headers.getlist("X-A") == ["3"]
    assert got.headers["X-B"] == "4"


def test_redirects_are_the_apps(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: web.redirect("/é?a=b", 303))
    response = checked_client(app).get("/")
    assert (response.status_code, response.headers["Location"]) == (303, "/%C3%A9?a=b")


@pytest.mark.parametrize("value", [None, NotFound()])
def test_outside_a_request_the_error_says_so(web: Any, value: Any):
    app = web.app()
    with app.app_context(), pytest.raises(RuntimeError, match="Working outside of request context"):
        app.make_response(value)


def test_a_response_class_may_convert_errors_itself(web: Any):
    class Mine(web.Response):
        @classmethod
        def force_type(cls, response: Any, environ: Any = None) -> Any:
            return cls("mine", 404) if isinstance(response, NotFound) else super().force_type(response, environ)

    app = web.app()
    app.response_class = Mine
    assert app.test_client().get("/").text == "mine"


# Error pages, which are made once for each code and description


def fail(error: HTTPException) -> NoReturn:
    raise error


class OwnBody(NotFound):
    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        return "own"


class OwnName(NotFound):
    name = "Nothing <here>"


def changed_body(text: str | None) -> HTTPException:
    error: Any = NotFound(text)
    error.get_body = lambda environ=None, scope=None: "own"
    return error


class OwnCode(HTTPException):
    code = 499


class NoCode(HTTPException):
    pass


KINDS: list[Any] = [
    NotFound, Forbidden, ImATeapot, TooManyRequests, ServiceUnavailable, OwnBody, OwnName, OwnCode, NoCode,
    changed_body,
    lambda text: MethodNotAllowed(["GET"], text),
    lambda text: Unauthorized(text, www_authenticate=WWWAuthenticate("x")),
]  # fmt: skip
descriptions = st.none() | st.sampled_from(["", "<b>", "two\nlines"]) | st.text(max_size=5)


@given(
    kind=st.sampled_from(KINDS),
    texts=st.lists(descriptions | descriptions.map(lambda text: Markup(text or "")), min_size=1, max_size=4),
)
@example(kind=changed_body, texts=[None])
def test_the_page_of_an_error_is_the_one_that_flask_sends(kind: Any, texts: list[str | None]):
    def answers(web: Any) -> list[Any]:
        app = web.app()
        app.add_url_rule("/<int:number>", "fail", lambda number: fail(kind(texts[number])), methods=["GET", "HEAD"])
        paths = [f"/{number}" for number in range(len(texts))] * 2
        asked = [wire.environ(method, path, {}, b"") for path in paths for method in ("GET", "HEAD")]
        return [outcome(wire.call, app, environ) for environ in asked]

    assert answers(CORE) == answers(FLASK)
