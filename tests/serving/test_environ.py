"""The environ meets PEP 3333, and has no values of another request."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import check_environ

import pytest

from tests.serving.running import running
from wsgi_core.serving.environ import connection_environ, request_environ, server_environ
from wsgi_core.serving.parser import Limits, Parser
from wsgi_core.serving.proxies import TrustedProxies
from wsgi_core.shared.settings import Settings


def parsed(message: bytes) -> Parser:
    parser = Parser(Limits(16 << 10, 100, 20_000))
    rest = message[parser.received(message) :]
    assert parser.received(rest) == len(rest)
    assert parser.completed
    assert parser.error is None
    return parser


def environ_of(message: bytes, believed: bool = False) -> dict[str, Any]:
    parser = parsed(message)
    connection = connection_environ(server_environ(8080, "wsgi_core"), "192.0.2.7", 5000)
    forwarded = TrustedProxies(Settings(trusted_proxy="*")).read(parser.headers) if believed else None
    return request_environ(connection, parser, forwarded)


def test_it_has_what_pep_3333_asks_for():
    environ = environ_of(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n")
    check_environ({**environ, "wsgi.input": _Input()})
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["REQUEST_URI"]) == ("/a b", "c=d", "/a%20b?c=d")
    assert (environ["SERVER_PORT"], environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("8080", "192.0.2.7", "5000")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


class _Input:
    """An object with the methods that wsgiref's validator requires of wsgi.input."""

    read = readline = readlines = __iter__ = None


def test_type_and_length_have_no_prefix():
    environ = environ_of(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 3\r\nX-Own: 1\r\n\r\nabc")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["HTTP_X_OWN"]) == ("a/b", "3", "1")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(environ)


@pytest.mark.parametrize(
    ("target", "path"), [("//evil.example/a", "/evil.example/a"), ("///", "/"), ("/a//b", "/a//b")]
)
def test_a_path_never_begins_with_two_slashes(target: str, path: str):
    assert environ_of(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())["PATH_INFO"] == path


def test_what_is_said_of_forwarding_is_removed_or_applied():
    message = b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n"
    ignored, believed = environ_of(message), environ_of(message, believed=True)
    assert (ignored["REMOTE_ADDR"], ignored["wsgi.url_scheme"]) == ("192.0.2.7", "http")
    assert "HTTP_X_FORWARDED_FOR" not in ignored
    assert (believed["REMOTE_ADDR"], believed["wsgi.url_scheme"]) == ("203.0.113.9", "https")


def test_the_requests_of_a_connection_share_no_environ():
    server = server_environ(8080, "wsgi_core")
    connection = connection_environ(server, "192.0.2.7", 5000)
    before = (dict(server), dict(connection))
    for name in (b"A", b"B"):
        environ = request_environ(connection, parsed(b"GET / HTTP/1.1\r\nHost: x\r\n%b: 1\r\n\r\n" % name), None)
        environ["own"] = name
    assert "HTTP_A" not in environ
    assert (server, connection) == before


@pytest.mark.parametrize(("processes", "expected"), [(1, False), (2, True), ("auto", True)])
def test_multiprocess_is_what_the_settings_say(processes: int | str, expected: bool):
    with running(processes=processes) as server:
        assert server.connect().ask("/quick").status == 200
        assert server.app.seen[-1]["wsgi.multiprocess"] is expected
