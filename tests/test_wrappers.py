"""Request and Response behave as Werkzeug's and Flask's do, with and without their fast paths."""

from __future__ import annotations

import io
import json
from typing import Any

import flask
import pytest
import werkzeug
from hypothesis import example, given
from hypothesis import strategies as st

import wsgi_core
from tests.conformance import wire
from tests.environs import STREAMS, environs, latin1, outcome, plain
from tests.examples import examples
from wsgi_core.wrappers import Request, Response, split_blueprint_path

# Attributes: nine cached properties, and all other attributes, which depend on them

NOT_COMPARED = {"environ", "stream", "input_stream", "json_module", "headers_class"}
ATTRIBUTES = sorted(
    name
    for name in dir(werkzeug.Request({}))
    if not name.startswith("_") and name not in NOT_COMPARED and not callable(getattr(werkzeug.Request, name, None))
)
COMPUTED = ("method", "scheme", "server", "root_path", "path", "query_string", "headers", "remote_addr", "shallow")


def test_attributes_compared_are_many():
    assert set(ATTRIBUTES) >= set(COMPUTED)
    assert len(ATTRIBUTES) > 50


def attributes(request: Any) -> dict[str, Any]:
    return {name: outcome(getattr, request, name) for name in ATTRIBUTES}


@examples(300)
@given(environ=environs)
@example(environ={})
def test_request_has_flasks_attributes(environ: dict[str, Any]):
    def made(request_class: Any) -> Any:
        return attributes(request_class({**environ, "wsgi.input": io.BytesIO(b"[1, 2]")}))

    assert made(Request) == made(flask.Request)


@given(environ=environs, name=st.sampled_from(ATTRIBUTES))
def test_each_attribute_is_right_when_asked_for_first(environ: dict[str, Any], name: str):
    def made(request_class: Any) -> Any:
        return outcome(getattr, request_class({**environ, "wsgi.input": io.BytesIO(b"[1]")}), name)

    assert made(Request) == made(flask.Request)


@pytest.mark.parametrize("name", ["scheme", "server", "root_path", "query_string", "headers", "remote_addr"])
def test_computed_attributes_can_be_set(name: str):
    request = Request({})
    setattr(request, name, "mine")
    assert getattr(request, name) == "mine"


def test_request_puts_itself_into_the_environ_unless_told_not_to():
    for options, there in (({}, True), ({"populate_request": False}, False), ({"shallow": True}, False)):
        environ: dict[str, Any] = {}
        Request(environ, **options)
        assert ("werkzeug.request" in environ) is there


# The body

operations = st.one_of(
    st.tuples(st.just("get_data"), st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.just("get_json"), st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.sampled_from(["data", "json", "form", "files", "values", "is_json", "content_length"])),
    st.tuples(st.just("stream"), st.sampled_from([-1, 0, 1, 3, 100])),
)


def operate(request: Any, operation: tuple[Any, ...]) -> Any:
    """Perform one operation on a request, and return its comparable outcome."""
    match operation:
        case ("get_data", cache, as_text, parse_form_data):
            return outcome(request.get_data, cache, as_text, parse_form_data)
        case ("get_json", force, silent, cache):
            return outcome(request.get_json, force, silent, cache)
        case ("stream", size):
            return outcome(lambda: request.stream.read(size))
        case (name,):
            return outcome(getattr, request, name)
    raise AssertionError(operation)


FORM = b"a=1&b=%ff&a="
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="f"; filename="t.txt"\r\n\r\nhello\r\n--x--\r\n'

transports = st.fixed_dictionaries(
    {
        "CONTENT_TYPE": st.sampled_from(
            [
                "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x", "text/plain", "",
            ]
        ),
    },
    optional={
        "wsgi.input_terminated": st.booleans(),
        "HTTP_TRANSFER_ENCODING": st.sampled_from(["chunked", "identity", "gzip, Chunked", ""]),
    },
)  # fmt: skip
bodies = st.one_of(
    st.sampled_from([b"", b"{}", b'{"a": [1, NaN]}', b"[1", b"\xff", b"null", b"  ", FORM, UPLOAD, b"[" * 9999]),
    st.binary(max_size=8),
)
shifts = st.sampled_from([None, None, 0, 0, 0, -1, 1, 5, "x", "-1", "٣", " 3", "12345678"])


def body_environ(body: bytes, stream: str, shift: Any, transport: dict[str, Any]) -> dict[str, Any]:
    """Return an environ whose Content-Length is right, wrong by ``shift``, missing, or the text ``shift``."""
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": STREAMS[stream](body), **transport}
    if shift is not None:
        environ["CONTENT_LENGTH"] = shift if isinstance(shift, str) else str(max(0, len(body) + shift))
    return environ


@examples(600)
@given(
    body=bodies,
    stream=st.sampled_from(sorted(STREAMS)),
    shift=shifts,
    transport=transports,
    steps=st.lists(operations, min_size=1, max_size=4),
    shallow=st.sampled_from([False, False, False, True]),
    limit=st.sampled_from([None, None, 0, 3, 5, 100]),
)
@example(b"{}", "whole", 0, {"CONTENT_TYPE": "application/json"}, [("get_json", False, False, True)] * 2, False, 9)
@example(
    b"{", "whole", 0, {"CONTENT_TYPE": "application/json"}, [("get_json", False, False, True), ("data",)], False, None
)
@example(b"[1]", "trickle", 1, {"CONTENT_TYPE": "application/json"}, [("get_json", False, False, True)] * 2, False, 9)
@example(FORM, "whole", 0, {"CONTENT_TYPE": "application/x-www-form-urlencoded"},
         [("get_data", True, False, False), ("form",), ("stream", -1)], False, None)  # fmt: skip
def test_body_is_read_as_flask_reads_it(
    body: bytes, stream: str, shift: Any, transport: dict[str, Any], steps: list[Any], shallow: bool, limit: int | None
):
    """Any operations in any order have the same outcome, also with wrong lengths and broken connections."""

    def results(request_class: Any) -> Any:
        request = request_class(body_environ(body, stream, shift, transport), shallow=shallow)
        request.max_content_length = limit
        try:
            return [operate(request, step) for step in steps]
        finally:
            request.close()

    assert results(Request) == results(flask.Request)


@given(body=bodies, shift=st.sampled_from([-1, 0]), transport=transports)
def test_no_more_is_read_than_was_declared(body: bytes, shift: int, transport: dict[str, Any]):
    def rest(request_class: Any) -> bytes:
        environ = body_environ(body, "whole", shift, transport)
        outcome(request_class(environ).get_data)
        left: bytes = environ["wsgi.input"].read()
        return left

    assert rest(Request) == rest(flask.Request)


def test_a_body_is_one_read():
    class Counting(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    stream = Counting(b"[1, 2]")
    environ = {"CONTENT_LENGTH": "6", "CONTENT_TYPE": "application/json", "wsgi.input": stream}
    assert Request(environ).get_json() == [1, 2]
    assert stream.reads == 1


def test_memory_is_not_set_aside_for_what_a_header_promises():
    asked: list[int] = []

    class Watching(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            asked.append(len(buffer))
            return super().readinto(buffer)

        def read(self, size: int | None = -1) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    with pytest.raises(werkzeug.exceptions.ClientDisconnected):
        Request({"CONTENT_LENGTH": "9000000", "wsgi.input": Watching(b"[1]")}).get_data()
    assert max(asked) <= 1 << 20


@pytest.mark.parametrize("value", [b"{}", b"[]", b'{"a": 1}', b"1", b"null", b'"x"', b"{", b""])
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x+json", "application/json; charset=utf-8", "text/plain", ""]
)
@pytest.mark.parametrize("debug", [False, True])
def test_json_by_way_of_the_app(web: Any, value: bytes, content_type: str, debug: bool):
    """Only in debug mode, the response says what is wrong with the JSON."""
    app = web.app()
    app.debug = debug
    good = value not in {b"{", b""}
    with app.test_request_context(method="POST", data=value, content_type=content_type):
        if "json" not in content_type:
            with pytest.raises(werkzeug.exceptions.UnsupportedMediaType):
                web.request.get_json()
            assert web.request.get_json(silent=True) is None
        elif good:
            assert web.request.get_json() == json.loads(value)
            assert web.request.get_json() is web.request.get_json()
        else:
            with pytest.raises(werkzeug.exceptions.BadRequest) as caught:
                web.request.get_json()
            assert ("Failed to decode" in str(caught.value)) is debug
            assert web.request.get_json(silent=True) is None


def test_limits_are_the_apps_unless_set_on_the_request(web: Any):
    app = web.app()
    app.config.update(MAX_CONTENT_LENGTH=10, MAX_FORM_MEMORY_SIZE=20, MAX_FORM_PARTS=30)
    with app.test_request_context():
        request = web.request
        assert (request.max_content_length, request.max_form_memory_size, request.max_form_parts) == (10, 20, 30)
        request.max_content_length = 5
        assert request.max_content_length == 5
    outside = web.Request({})
    assert outside.max_content_length is None
    assert (outside.max_form_memory_size, outside.max_form_parts) == (500_000, 1000)


@pytest.mark.parametrize("length", [10, 11, 12])
def test_a_body_over_the_limit_is_413(web: Any, length: int):
    app = web.app()
    app.config["MAX_CONTENT_LENGTH"] = 11

    @app.post("/")
    def size() -> str:
        return str(len(web.request.get_data()))

    response = app.test_client().post("/", data=b"x" * length)
    assert response.status_code == (200 if length <= 11 else 413)


def test_a_request_knows_its_blueprints(web: Any):
    app, outer, inner = web.app(), web.Blueprint("outer", "tests"), web.Blueprint("inner", "tests")
    seen: list[Any] = []

    def look() -> str:
        seen.append((web.request.endpoint, web.request.blueprint, web.request.blueprints))
        return ""

    for owner, rule in ((app, "/app"), (outer, "/outer"), (inner, "/inner")):
        owner.add_url_rule(rule, "look", look)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    for rule in ("/app", "/outer", "/inner", "/none"):
        app.test_client().get(rule)
    assert seen == [
        ("look", None, []),
        ("outer.look", "outer", ["outer"]),
        ("outer.inner.look", "outer.inner", ["outer.inner", "outer"]),
    ]


def test_blueprint_names_are_split_inwards_out():
    assert split_blueprint_path("a.b.c") == ("a.b.c", "a.b", "a")


def test_a_missing_upload_is_explained_in_debug_mode(web: Any):
    app = web.app()
    app.debug = True
    with app.test_request_context(method="POST", data={"photo": "cat.png"}), pytest.raises(KeyError) as caught:
        web.request.files["photo"]
    assert "multipart/form-data" in str(caught.value)
    assert "'cat.png'" in str(caught.value)


# The response

chunks = st.lists(st.binary(max_size=4), max_size=3) | st.lists(st.text("aé", max_size=3), max_size=3)
body_arguments = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.binary(max_size=8),
    st.binary(max_size=8).map(bytearray), chunks, chunks.map(tuple), chunks.map(iter),
)  # fmt: skip
mimetypes = st.sampled_from(
    ["text/html", "text/plain", "application/json", "image/svg+xml", "a/b;c=d", "image/png", ""]
)
header_names = st.sampled_from(
    ["X-A", "Content-Type", "content-length", "Location", "Content-Location", "Set-Cookie", "ETag", "Allow", "Date"]
)
header_values = st.sampled_from(["a", "7", "/é?x=ü", "http://a.example/ä", "text/css", '"t"'])
header_arguments = st.one_of(
    st.none(), st.just({}), st.dictionaries(header_names, header_values, max_size=3),
    st.lists(st.tuples(header_names, header_values), max_size=4),
    st.lists(st.tuples(header_names, header_values), max_size=3).map(werkzeug.datastructures.Headers),
)  # fmt: skip
statuses = st.sampled_from(
    [None, 200, 201, 204, 301, 304, 404, 500, 103, 199, 299, 999, "200 OK", "418 A POT", "wow", "204", "", 0]
)
status_arguments = st.one_of(st.none(), st.none(), statuses)
constructor = st.fixed_dictionaries(
    {"response": body_arguments},
    optional={
        "status": status_arguments,
        "headers": header_arguments,
        "mimetype": st.none() | mimetypes,
        "content_type": st.none() | mimetypes,
        "direct_passthrough": st.booleans(),
    },
)
SENT = ("GET", "HEAD", "POST", "OPTIONS")


def copied(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Return two copies of the arguments, because an iterator can be read only once, and a list may be changed."""
    body = arguments["response"]
    if hasattr(body, "__next__"):
        items = list(body)
        return [{**arguments, "response": iter(items)} for _ in range(2)]
    kept = arguments.get("headers")
    headers = [kept if kept is None else type(kept)(kept) for _ in range(2)]
    made = [{**arguments, "response": list(body) if isinstance(body, list) else body} for _ in range(2)]
    if "headers" in arguments:
        for one, own in zip(made, headers, strict=True):
            one["headers"] = own
    return made


def sent(response: Any, method: str) -> Any:
    """Return what a server gets of a response: status, headers and body."""
    if response is None:
        return None
    answer = wire.call(response, wire.environ(method, "/here?q", {}, b""))
    return answer.status, answer.headers, answer.body


def traits(response: Any) -> Any:
    return [
        response.status, response.status_code, plain(response.headers), response.mimetype, response.content_type,
        response.content_length, response.is_sequence, response.is_streamed, response.direct_passthrough,
        plain(response.mimetype_params),
    ]  # fmt: skip


@examples(500)
@given(arguments=constructor, method=st.sampled_from(SENT), subclass=st.sampled_from(["none", "default", "no length"]))
@example({"response": "a"}, "GET", "none")
@example({"response": b"", "mimetype": "text/plain"}, "HEAD", "none")
def test_response_is_built_and_sent_as_flasks(arguments: dict[str, Any], method: str, subclass: str):
    def made(response_class: Any, arguments: dict[str, Any]) -> Any:
        extra: dict[str, Any] = {
            "none": {},
            "default": {"default_status": 202, "default_mimetype": None},
            "no length": {"automatically_set_content_length": False},
        }[subclass]
        response_class = type("Mine", (response_class,), extra)
        try:
            response = response_class(**arguments)
        except Exception as e:
            return type(e).__name__
        return traits(response), outcome(sent, response, method), outcome(response.get_data)

    core, twin = copied(arguments)
    assert made(Response, core) == made(flask.Response, twin)


changes = st.one_of(
    st.tuples(st.just("status_code"), st.sampled_from([100, 199, 200, 204, 304, 404])),
    st.tuples(st.just("status"), st.sampled_from(["204 NO CONTENT", "304 x", "200 Fine", "500 no"])),
    st.tuples(st.just("data"), st.sampled_from([b"new", "nëw", b""])),
    st.tuples(st.just("header"), st.tuples(header_names, header_values)),
    st.tuples(st.just("add"), st.tuples(header_names, header_values)),
    st.tuples(st.just("remove"), st.sampled_from(["Content-Length", "content-type", "X-A"])),
    st.tuples(st.just("location"), st.sampled_from(["/é", "http://a/ü", "x"])),
    st.tuples(st.just("mimetype"), mimetypes),
    st.tuples(st.just("response"), st.sampled_from([[b"a"], ["a"], (b"a",), [b"a", b"b"], [], [bytearray(b"a")]])),
    st.tuples(st.just("direct_passthrough"), st.booleans()),
    st.tuples(st.just("autocorrect_location_header"), st.just(True)),
    st.tuples(st.just("cookie"), st.sampled_from(["a", "ü"])),
    st.tuples(st.just("make_conditional"), st.just(True)),
    st.tuples(st.just("freeze"), st.just(True)),
    st.tuples(st.just("call_on_close"), st.just(True)),
)


def change(response: Any, what: str, value: Any, closed: list[str]) -> None:
    """Make one change to a response, as a view or a hook can."""
    match what:
        case "header":
            response.headers[value[0]] = value[1]
        case "add":
            response.headers.add(*value)
        case "remove":
            response.headers.remove(value)
        case "cookie":
            response.set_cookie("k", value)
        case "make_conditional":
            response.add_etag()
            # Without this, Date would be the current second, which may differ between both sides.
            response.headers.setdefault("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
            response.make_conditional(wire.environ("GET", "/", {"If-None-Match": "*"}, b""))
        case "freeze":
            response.freeze()
        case "call_on_close":
            response.call_on_close(lambda: closed.append("closed"))
        case _:
            setattr(response, what, value)


@examples(500)
@given(
    body=st.sampled_from(["", "hello", b"bytes", "ü"]),
    method=st.sampled_from(SENT),
    made_of=st.lists(changes, max_size=4),
)
def test_a_response_changed_after_it_was_made_is_sent_as_flasks(body: Any, method: str, made_of: list[Any]):
    def result(response_class: Any) -> Any:
        closed: list[str] = []
        response = response_class(body)
        try:
            for what, value in made_of:
                change(response, what, list(value) if isinstance(value, list) else value, closed)
        except Exception as e:
            return type(e).__name__
        return traits(response), outcome(sent, response, method), closed

    assert result(Response) == result(flask.Response)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after the response has started"])
@pytest.mark.parametrize("method", SENT)
def test_close_functions_run_when_the_server_closes_the_body(web: Any, method: str, late: bool):
    """Also functions that a teardown function adds, after the response has started."""
    app = web.app()
    closed: list[str] = []
    kept: list[Any] = []

    @app.route("/", methods=SENT)
    def index() -> Any:
        response = web.make_response("body")
        kept.append(response)
        if not late:
            response.call_on_close(lambda: closed.append("closed"))
        return response

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        if late:
            kept[0].call_on_close(lambda: closed.append("closed"))

    wire.call(app, wire.environ(method, "/", {}, b""))
    assert closed == ["closed"]


@pytest.mark.parametrize(
    "overridden",
    ["_clean_status", "get_wsgi_headers", "get_app_iter", "get_wsgi_response", "iter_encoded", "close", "set_data"],
)
def test_what_a_subclass_overrides_is_called(web: Any, overridden: str):
    called: list[str] = []

    def method(self: Any, *args: Any) -> Any:
        called.append(overridden)
        return getattr(super(Mine, self), overridden)(*args)

    Mine = type("Mine", (web.Response,), {overridden: method})
    wire.call(Mine("body"), wire.environ("GET", "/", {}, b""))
    assert called


@pytest.mark.parametrize("status", [None, 201])
def test_a_status_of_a_subclass_is_set(web: Any, status: int | None):
    class Teapot(web.Response):  # type: ignore[misc, name-defined]
        status = property(web.Response.status.fget, lambda self, value: web.Response.status.fset(self, 418))

    assert Teapot("body", status).status == "418 I'M A TEAPOT"


@pytest.mark.parametrize("mimetype", ["text/plain\r\nSet-Cookie: a=1", "text/plain\n", "a\rb"])
def test_a_line_end_in_a_mimetype_is_refused(web: Any, mimetype: str):
    for arguments in ({"mimetype": mimetype}, {"content_type": mimetype}, {"headers": {"X": mimetype}}):
        with pytest.raises(ValueError, match="newline"):
            web.Response("body", **arguments)


@given(text=latin1)
def test_no_mimetype_makes_a_header_that_flask_would_not_make(text: str):
    assert outcome(lambda: list(Response("a", mimetype=text).headers)) == outcome(
        lambda: list(flask.Response("a", mimetype=text).headers)
    )


def test_headers_of_a_sent_response_are_its_own():
    """If a server or middleware changes the list of headers, the response does not change."""
    response = Response("body")
    lists: list[list[Any]] = []
    for _ in range(2):
        list(response(wire.environ("GET", "/", {}, b""), lambda status, headers, exc_info=None: lists.append(headers)))
    lists[0].append(("X-Server", "1"))
    assert "X-Server" not in response.headers
    assert ("X-Server", "1") not in lists[1]


def test_cookies_warn_at_the_apps_size(web: Any):
    app = web.app()
    app.config["MAX_COOKIE_SIZE"] = 50
    assert web.Response().max_cookie_size == 4093
    with app.app_context():
        assert web.Response().max_cookie_size == 50
        with pytest.warns(UserWarning, match="cookie is too large"):
            web.Response().set_cookie("a", "x" * 60)


def test_locations_stay_relative(web: Any):
    response = web.Response("", 302, {"Location": "/next"})
    answer = wire.call(response, wire.environ("GET", "/", {}, b""))
    assert answer.header("Location") == "/next"


def test_the_core_has_werkzeugs_classes_below_its_own():
    assert issubclass(wsgi_core.Request, werkzeug.Request)
    assert issubclass(wsgi_core.Response, werkzeug.Response)


def test_a_request_class_may_say_what_is_json(web: Any):
    class Strict(web.Request):
        is_json = False

    app = web.app()
    app.request_class = Strict
    app.add_url_rule("/", "index", lambda: web.request.get_json(), methods=["POST"])
    assert app.test_client().post("/", json={}).status_code == 415
