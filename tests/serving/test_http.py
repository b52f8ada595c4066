"""HTTP as RFC 9110 and 9112 have it, over the wire."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from tests.serving.running import Client, request, running, until

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


# Half-closed connections.


@pytest.mark.parametrize("framing", ["get", "post", "chunked"])
def test_a_client_that_sends_no_more_gets_its_response(framing: str):
    message = {
        "get": request("GET", "/a"),
        "post": request("POST", "/a", b"x" * 200_000),
        "chunked": request("POST", "/a", Transfer_Encoding="chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    }[framing]
    with running() as server:
        for _ in range(20):
            client = server.connect()
            client.send(message)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.answer().status == 200
            assert client.ended()


def test_it_gets_its_response_however_long_that_takes_and_those_of_pipelined_requests():
    with running() as server:
        client = server.connect()
        client.send(request("GET", "/work") + request("GET", "/b"))
        server.app.wait_begun()
        client.socket.shutdown(socket.SHUT_WR)
        until(lambda: all(channel.input_ended or channel.input for channel in server.server._listener.channels))
        server.app.open()
        assert [client.answer().status for _ in range(2)] == [200, 200]
        assert client.ended()


def test_a_response_larger_than_the_buffers_is_sent_to_it_whole():
    def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(20 << 20))])
        return [b"x" * (20 << 20)]

    with running(large) as server:
        client = server.connect()
        client.get("/")
        client.socket.shutdown(socket.SHUT_WR)
        assert len(client.answer().body) == 20 << 20


def test_a_request_that_ends_too_early_is_400():
    with running() as server:
        for part in (b"GET /a HTTP/1.1\r\nHost:", request("POST", "/a", Content_Length="10") + b"12345"):
            client = server.connect()
            client.send(part)
            client.socket.shutdown(socket.SHUT_WR)
            reply = client.answer()
            assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert server.app.seen == []


def test_a_client_that_is_gone_frees_its_connection():
    with running() as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.get("/work")
        server.app.wait_begun(2)
        until(lambda: server.server.admission.waiting == 1)
        for client in clients:
            client.reset()
        until(lambda: not server.server._listener.channels)
        assert server.server.admission.waiting == 0


# The request line and Host (RFC 9112, section 3).

LINES: dict[str, tuple[int, bytes]] = {
    "a plain request": (200, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "without a Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "with two": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "with the same twice": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "with an empty one": (400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "with a blank in it": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "with a path in it": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "with a user in it": (400, b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "with two ports": (400, b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
    "with a port too large": (400, b"GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n"),
    "with letters for a port": (400, b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    "with a comma": (400, b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
    "with a bracket": (400, b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    "with brackets around no address": (400, b"GET / HTTP/1.1\r\nHost: [12]\r\n\r\n"),
    "with an IPv6 address": (200, b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    "with an empty port": (200, b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n"),
    "1.0 without a Host": (200, b"GET / HTTP/1.0\r\n\r\n"),
    "1.0 with a senseless one": (400, b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n"),
    "0.9": (400, b"GET /\r\n\r\n"),
    "0.9 by name": (400, b"GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    "2.0": (505, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    "no target": (400, b"GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    "two blanks": (400, b"GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method of one's own": (200, b"MOVE-IT / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method in small letters": (400, b"get / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "HTTP/2's preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "an absolute target without a Host": (400, b"GET http://a/ HTTP/1.1\r\n\r\n"),
    "an absolute target of another kind": (400, b"GET ftp://a/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an absolute target with a user": (400, b"GET http://u@a/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an absolute target without a host": (400, b"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a star": (400, b"GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a star for OPTIONS": (200, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    "CONNECT": (501, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    "an upgrade": (200, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "a bare LF at the end of a line": (400, b"GET / HTTP/1.1\nHost: x\n\n"),
    "both framings behind an underscore": (200, b"POST / HTTP/1.1\r\nHost: x\r\nContent_Length: 3\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_the_request_line_and_host(name: str):
    status, message = LINES[name]
    with running() as server:
        client = server.connect()
        client.send(message)
        reply = client.answer()
        assert reply.status == status
        assert len(server.app.seen) == (status == 200)
        if status != 200:
            assert reply.error
            assert reply.headers["connection"] == "close"


def test_an_absolute_target_replaces_the_host():
    with running() as server:
        client = server.connect()
        client.send(b"GET http://Evil.example:81/a%20b?c HTTP/1.1\r\nHost: good.example\r\n\r\n")
        assert client.answer().status == 200
        environ = server.app.seen[0]
        assert (environ["HTTP_HOST"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("Evil.example:81", "/a b", "c")
        assert environ["wsgi.url_scheme"] == "http"


# Connections (RFC 9112, section 9).


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


# Responses (RFC 9112, section 6).


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [*BODIES, "/pieces"])
def test_a_response_has_a_body_only_where_it_may(method: str, path: str):
    with running(bodies) as server:
        client = server.connect()
        for _ in range(2):  # what follows is the next response and no rest of this one
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
