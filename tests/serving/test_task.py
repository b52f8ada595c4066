"""The sent response meets RFC 9110, RFC 9112 and PEP 3333, whatever the application does."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.running import Client, request, running

BODIES: dict[str, tuple[str, list[tuple[str, str]], list[bytes]]] = {
    "/length": ("200 OK", [("Content-Length", "5")], [b"hello"]),
    "/none": ("200 OK", [], []),
    "/204": ("204 No Content", [], []),
    "/304": ("304 Not Modified", [("Content-Length", "5")], [b"hello"]),
    "/list": ("200 OK", [], [b"hel", b"lo"]),
}


def bodies(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    if path == "/pieces":
        start_response("200 OK", [])
        return iter([b"hel", b"", b"lo"])
    status, headers, body = BODIES[path]
    start_response(status, headers)
    return body


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True), ("1.1", "keep-alive", True), ("1.1", "close", False), ("1.1", "keep-alive, close", False),
        ("1.1", "TE, Close", False), ("1.1", "te,\tclose ,x", False), ("1.1", "closed", True), ("1.1", "", True),
        ("1.0", None, False), ("1.0", "Keep-Alive", True), ("1.0", "te, keep-alive", True), ("1.0", "te", False),
        ("1.0", "keep-alive, close", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/a", "/boom"])
def test_connection_is_a_list_of_tokens(version: str, connection: str | None, kept: bool, path: str):
    line = "" if connection is None else f"Connection: {connection}\r\n"
    with running() as server:
        client = server.connect()
        client.send(f"GET {path} HTTP/{version}\r\nHost: x\r\n{line}\r\n".encode())
        reply = client.answer()
        if kept and path == "/a":
            assert reply.headers.get("connection", "").lower() in ("", "keep-alive")
            assert client.ask("/b").status == 200
        else:
            assert reply.headers["connection"] == "close"
            assert client.ended()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [*BODIES, "/pieces"])
def test_a_response_has_a_body_only_where_it_may(method: str, path: str):
    with running(bodies) as server:
        client = server.connect()
        for _ in range(2):  # the next response follows directly, without a rest of this response
            client.send(request(method, path))
            reply = client.answer(method)
            empty = method == "HEAD" or path in ("/none", "/204", "/304")
            assert reply.body == (b"" if empty else b"hello")
            assert ("transfer-encoding" in reply.headers) == (path == "/pieces" and method == "GET")
            if path in ("/204", "/304"):
                assert "content-length" not in reply.headers


def test_to_1_0_a_body_of_unknown_length_ends_with_the_connection():
    with running(bodies) as server:
        client = server.connect()
        client.send(b"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        reply = client.answer()
        assert (reply.body, reply.headers["connection"]) == (b"hello", "close")


@pytest.mark.parametrize(
    "header", [("X", "a\r\nSet-Cookie: b"), ("X\r\nY", "a"), ("X", "a\nb"), ("Connection", "close")]
)
def test_a_header_that_would_be_two_is_not_sent(header: tuple[str, str]):
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [header])
        return [b"x"]

    with running(app) as server:
        reply = server.connect().ask("/")
        assert reply.status == 500
        assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(("declared", "sent"), [(3, b"hello"), (9, b"hello")])
def test_a_body_that_is_not_as_long_as_declared_does_not_spoil_the_next_response(declared: int, sent: bytes):
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(declared))])
        return [sent]

    with running(app) as server:
        client: Client = server.connect()
        client.send(request("GET", "/") + request("GET", "/"))
        with contextlib.suppress(Exception):
            assert client.answer().body == sent[:declared]
            assert declared < len(sent), "too few bytes were taken for a whole response"
            assert client.answer().status == 200


def test_an_error_replaces_a_response_whose_head_was_not_sent():
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-First", "1"), ("Content-Length", "9")])
        try:
            raise ValueError
        except ValueError as error:
            start_response("418 I'm a teapot", [("X-Second", "2")], (type(error), error, error.__traceback__))
        return [b"short"]

    with running(app) as server:
        reply = server.connect().ask("/")
        assert (reply.status, reply.body, reply.headers["content-length"]) == (418, b"short", "5")
        assert "x-first" not in reply.headers
        assert reply.headers["x-second"] == "2"


@pytest.mark.parametrize("path", ["/twice", "/never", "/late"])
def test_what_pep_3333_forbids_before_the_head_is_answered_with_500(path: str):
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if path == "/twice":
            start_response("200 OK", [])
            start_response("200 OK", [])
        if path == "/late":
            start_response("200 OK", [("Content-Length", "many")])
        return [b"x"]

    with running(app) as server:
        client = server.connect()
        reply = client.ask(path)
        assert reply.status == 500
        assert reply.error


def test_the_result_is_closed_once_however_the_response_ends():
    closed: list[str] = []

    class Result:
        def __init__(self, path: str) -> None:
            self.path = path

        def __iter__(self) -> Any:
            yield b"x"
            if self.path == "/fails":
                raise RuntimeError

        def close(self) -> None:
            closed.append(self.path)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return Result(environ["PATH_INFO"])

    with running(app) as server:
        assert server.connect().ask("/ends").body == b"x"
        client = server.connect()
        client.get("/fails")
        with pytest.raises(http.client.IncompleteRead):
            client.answer()
        assert client.ended()
    assert closed == ["/ends", "/fails"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize(
    ("status", "name", "value"), [("200 OK{}X: y", "A", "b"), ("200 OK", "A{}X", "b"), ("200 OK", "A", "b{}X: y")]
)
def test_a_line_break_in_the_head_becomes_a_500(status: str, name: str, value: str, end: str):
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status.format(end), [(name.format(end), value.format(end))])
        return [b"x"]

    with running(app) as server:
        response = server.connect().ask("/")
        assert response.status == 500
        assert not {"a", "x"} & {header.lower() for header in response.headers}


def test_the_server_line_is_the_applications_if_it_has_one():
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Server", "mine"), ("Date", "then")] if environ["PATH_INFO"] == "/own" else [])
        return [b"x"]

    with running(app) as server:
        client = server.connect()
        own, other = client.ask("/own").headers, client.ask("/other").headers
        assert (own["server"], own["date"], own["via"]) == ("mine", "then", "wsgi_core")
        assert other["server"] == "wsgi_core"
        assert "via" not in other
        assert other["date"].endswith(" GMT")


def test_head_of_an_endless_response_ends_and_closes_it():
    closed = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            closed.set()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return endless()

    with running(app, threads=1) as server:
        client = server.connect()
        client.send(request("HEAD", "/"))
        assert client.answer("HEAD").status == 200
        assert closed.wait(20)


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("base"), None])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_whatever_an_application_raises_or_sends_instead_of_bytes_is_a_500(raised: BaseException | None, version: str):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/good":
            start_response("200 OK", [("Content-Length", "4")])
            return [b"good"]
        if raised is not None:
            raise raised
        start_response("200 OK", [])
        return ["text"]

    with running(app, threads=1) as server:
        for _ in range(3):
            client = server.connect()
            client.send(f"GET / HTTP/{version}\r\nHost: test\r\n\r\n".encode())
            reply = client.answer()
            assert (reply.status, reply.headers["connection"]) == (500, "close")
            assert client.ended()
        assert server.connect().ask("/good").body == b"good"
