"""An invalid or too large request gets a JSON response with the reason, and the connection is closed."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from tests.serving.running import Running, running
from wsgi_core.serving import parser as parser_module
from wsgi_core.serving.body_buffer import BodyBudget
from wsgi_core.serving.parser import Limits, Parser

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"

REFUSED: dict[str, tuple[int, str, bytes]] = {
    "no request": (400, "", b"hello\r\n\r\n"),
    "two blanks before the target": (400, "one space", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "two blanks before the version": (400, "one space", b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a tab before the target": (400, "", b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "small letters": (400, "", b"get / HTTP/1.1\r\n\r\n"),
    "no such version": (400, "", b"GET / HTTP/x\r\n\r\n"),
    "unbalanced brackets": (400, "target", b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "no length at all": (400, "", HEAD + b"Content-Length:\r\n\r\n"),
    "a negative length": (400, "", HEAD + b"Content-Length: -1\r\n\r\n"),
    "two lengths": (400, "", HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "a length of 5,000 digits": (400, "Content-Length", HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    "a name with blanks": (400, "", HEAD + b"X Y: z\r\n\r\n"),
    "a blank before the colon": (400, "", HEAD + b"X-Y : z\r\n\r\n"),
    "a zero byte": (400, "", HEAD + b"X: a\0b\r\n\r\n"),
    "a bare line feed": (400, "", HEAD + b"X: a\nb\r\n\r\n"),
    "a folded line": (400, "whitespace", HEAD + b"X: a\r\n b\r\n\r\n"),
    "many blanks": (400, "value", HEAD + b"X:" + b" " * 15_000 + b"\0\r\n\r\n"),
    "many tabs": (400, "value", HEAD + b"X:" + b"\t " * 7_000 + b"\0\r\n\r\n"),
    "length and encoding": (
        400, "Content-Length", HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, "", HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "chunked in two lines": (
        400, "", HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "an empty encoding": (400, "", HEAD + b"Transfer-Encoding:\r\n\r\n"),
    "another encoding": (400, "", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "identity": (400, "", HEAD + b"Transfer-Encoding: identity\r\n\r\n"),
    "chunked in 1.0": (400, "HTTP/1.1", b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a chunk's size of letters": (400, "", HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "a negative chunk": (400, "", HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    "a chunk longer than it says": (400, "", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
    "an endless chunk size": (400, "too long", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 3000),
    "endless trailers": (400, "too long", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 3000),
    "endless chunks of a byte": (
        400, "too small", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10_000),
    "endless empty lines for chunks": (
        400, "not valid", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"\r\n" * 10_000),
    "a line feed after a chunk's size": (
        400, "not valid", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\n\r\nhello\r\n0\r\n\r\n"),
    "empty lines without an end": (400, "empty lines", b"\r\n" * 40),
    "too many lines of one name": (431, "100 header lines", HEAD + b"x:y\r\n" * 3000 + b"\r\n"),
    "too many header bytes": (431, "16384 bytes", b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000),
    "a long address": (431, "16384 bytes", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"),
    "too many headers": (431, "100 header lines", HEAD + b"X: y\r\n" * 100 + b"\r\n"),
    "a body over the limit": (413, "20000 bytes", HEAD + b"Content-Length: 20001\r\n\r\n"),
    "a body far over the limit": (413, "20000 bytes", HEAD + b"Content-Length: 9999999999999999999\r\n\r\n"),
    "a chunked body over the limit": (
        413, "20000 bytes", HEAD + b"Transfer-Encoding: chunked\r\n\r\n4e21\r\n" + b"x" * 20_001),
    "asks first, over the limit": (413, "20000 bytes", HEAD + b"Expect: 100-continue\r\nContent-Length: 20001\r\n\r\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Running:
    """A server that accepts bodies of at most 20,000 bytes."""
    with running(max_content_length=20_000) as server:
        server.app.open()
        yield server


@pytest.mark.parametrize("name", REFUSED)
def test_refused(small: Running, name: str):
    status, says, sent = REFUSED[name]
    before = len(small.app.seen)
    client = small.connect()
    client.send(sent)
    reply = client.answer()
    assert reply.status == status
    assert says in reply.error
    assert reply.headers["connection"] == "close"
    assert client.ended()
    assert len(small.app.seen) == before, "the application was called"


ACCEPTED: dict[str, tuple[int, bytes]] = {
    "as many bytes as allowed": (20_000, HEAD + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000),
    "as many headers as allowed": (0, HEAD + b"X: y\r\n" * 99 + b"\r\n"),
    "as many bytes in many chunks": (
        20_000, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"2\r\nxy\r\n" * 10_000 + b"0\r\n\r\n"),
    "more bytes where more are allowed": (
        20_001, HEAD.replace(b"/a", b"/predict/stream?x") + b"Content-Length: 20001\r\n\r\n" + b"x" * 20_001),
    "chunks": (4, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3;x=y\r\nbcd\r\n0\r\nT: u\r\n\r\n"),
    "chunked in capitals": (1, HEAD + b"TRANSFER-ENCODING: \tChunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    "the word in an address": (0, b"GET /transfer-encoding HTTP/1.1\r\nHost: x\r\n\r\n"),
    "an empty line first": (0, b"\r\n" + HEAD + b"\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(small: Running, name: str):
    length, sent = ACCEPTED[name]
    client = small.connect()
    client.send(sent)
    reply = client.answer()
    assert reply.status == 200
    assert b'"length": %d}' % length in reply.body
    assert client.ask("/next").status == 200


@pytest.mark.parametrize("name", [*REFUSED, *ACCEPTED])
def test_byte_by_byte_it_is_the_same(name: str):
    """The result does not depend on how the network splits a request."""
    sent = REFUSED[name][2] if name in REFUSED else ACCEPTED[name][1]
    parser = Parser(Limits(16 << 10, 100, 20_000, {"/predict/stream": 1 << 20}))
    for number in range(len(sent)):
        parser.received(sent[number : number + 1])
        if parser.completed:
            break
    assert parser.completed
    if name in REFUSED:
        assert parser.error.code == REFUSED[name][0]
        assert not parser.expect_continue
    else:
        assert parser.error is None


def test_a_large_body_is_refused_before_it_is_sent_and_the_answer_arrives(small: Running):
    """The client still sends. Closing the connection at once would reset it, and the client would lose the response."""
    client = small.connect()
    client.send(HEAD + b"Content-Length: 50000000\r\n\r\n")
    sender = threading.Thread(target=client.send, args=(b"x" * 5_000_000,))
    sender.start()
    sender.join()
    assert client.answer().status == 413
    assert client.ended()


def test_asked_first_a_client_is_told_to_continue(small: Running):
    client = small.connect()
    client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert client.file.readline() == b"\r\n"
    client.send(b"abc")
    assert client.answer().status == 200


def test_an_application_that_raises_is_answered_without_a_trace(small: Running, caplog: pytest.LogCaptureFixture):
    reply = small.connect().ask("/boom")
    assert reply.status == 500
    assert "boom" not in reply.error
    assert "RuntimeError: boom" in caplog.text


# The request line and Host (RFC 9112, section 3)

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


# llhttp beside waitress' own parser

METHODS = st.sampled_from([b"GET", b"POST", b"OPTIONS", b"PROPFIND", b"BREW", b"get"])
TARGETS = st.sampled_from(
    [b"/", b"/a?b=c&d", b"/%C3%BC%2f..%00", b"//a//b", b"/a#b?c", b"*", b"http://x:81/a?b", b"http://x", b'/"<>|\\^`{}']
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1"])
FIELDS = st.sampled_from(
    [
        b"Host: x", b"host:\tx:8080 ", b"Host: [::1]", b"Connection: te, close", b"Content-Length: 3",
        b"Content-Length: 03", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
        b"X-A: 1", b"x-a: 2", b"X_A: 3", b"Cookie: a=b; c=d",
        b"Empty:", b"Latin: \xe9\xff", b"Content-Type: a/b", b"X-Forwarded-For: 192.0.2.1", b"!#$%&'*+-.^`|~: x",
    ]
)  # fmt: skip
PIECES = st.sampled_from([b"", b" ", b"\t", b"\r", b"\n", b"\0", b":", b"\x7f", b"\xff", b"\r\n", b"_"])
MUTATIONS = st.tuples(st.integers(0, 200), st.integers(0, 2), PIECES)


@given(METHODS, TARGETS, VERSIONS, st.lists(FIELDS, max_size=6), st.lists(MUTATIONS, max_size=2))
@settings(max_examples=500)
def test_what_is_accepted_here_means_the_same_to_waitress(
    method: bytes, target: bytes, version: bytes, fields: list[bytes], mutations: list[tuple[int, int, bytes]]
):
    """This parser rejects all that waitress rejects. ``LINES`` has what only this parser rejects, as RFCs require."""
    head = b"\r\n".join([b" ".join([method, target, version]), b"Host: x", *fields]) + b"\r\n\r\n"
    for start, length, put in mutations:
        start %= len(head) - 4
        head = head[:start] + put + head[min(start + length, len(head) - 4) :]
    ours, theirs = Parser(Limits(16 << 10, 100, 20_000)), HTTPRequestParser(Adjustments())
    rest = len(head) - ours.received(head)
    try:
        theirs.received(head)
    except ValueError:  # waitress raises this for some targets
        assert ours.error is not None
        return
    if ours.error is not None or not ours.headers_finished or rest:
        return
    assert theirs.error is None
    assert (ours.command, ours.version) == (theirs.command, theirs.version)
    assert (ours.path, ours.query) == (theirs.path or "/", theirs.query)
    assert (ours.chunked, ours.content_length) == (theirs.chunked, theirs.content_length)
    expected = {**theirs.headers}
    if theirs.proxy_netloc:
        expected["HOST"] = theirs.proxy_netloc
    without_prefix = ("CONTENT_TYPE", "CONTENT_LENGTH")
    assert ours.headers == {k if k in without_prefix else f"HTTP_{k}": value for k, value in expected.items()}


def test_long_names_of_headers_are_not_kept(monkeypatch: pytest.MonkeyPatch):
    """Otherwise, clients could fill the cache of names, which lives as long as the process."""
    monkeypatch.setattr(parser_module, "_KEYS", {})
    for number in range(20):
        parser = Parser(Limits(16 << 10, 100, 20_000))
        parser.received(b"GET / HTTP/1.1\r\nHost: x\r\n%b%d: y\r\n\r\n" % (b"x" * 15_000, number))
        assert parser.headers["HTTP_" + "X" * 15_000 + str(number)] == "y"
    assert set(parser_module._KEYS) == {b"Host"}


@given(st.lists(st.sampled_from([b"X-A: 1", b"x-a: 2", b"X-A:\t3 ", b"X-A:", b"B: b", b"X_A: 4"]), max_size=6))
def test_values_of_a_name_are_joined_in_their_order(fields: list[bytes]):
    parser = Parser(Limits(16 << 10, 100, 20_000))
    parser.received(b"\r\n".join([b"GET / HTTP/1.1", b"Host: x", *fields, b"", b""]))
    assert parser.error is None
    values = [field.partition(b":")[2].strip().decode() for field in fields if field[:3].upper() == b"X-A"]
    assert parser.headers.get("HTTP_X_A") == (", ".join(values) if values else None)


@given(st.lists(st.sampled_from([b"X-A: 1", b"x-a: 2", b"X-A: 3", b"B: b"]), max_size=30))
def test_the_header_lines_before_an_error_are_kept_up_to_the_limit(fields: list[bytes]):
    parser = Parser(Limits(16 << 10, 20, 20_000))
    parser.received(b"\r\n".join([b"GET / HTTP/1.1", b"Host: x", *fields, b"C: c", b"Y : z", b"X-A: 4", b"", b""]))
    assert parser.error.code == 400
    values = [field.partition(b":")[2].strip().decode() for field in fields[:19] if field[:3].upper() == b"X-A"]
    assert parser.headers.get("HTTP_X_A") == (", ".join(values) if values else None)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(b"Content-Length: 8000000\r\n", b"x" * 60_000, id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"e678\r\n" + b"x" * 59_000 + b"\r\n", id="chunked"),
    ],
)
def test_a_body_takes_no_file_before_the_head_is_checked(headers: bytes, body: bytes):
    bodies = BodyBudget(disk=0, memory=0)
    parser = Parser(Limits(16 << 10, 100, 20_000_000, bodies=bodies))
    head = b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"
    consumed = parser.received(head + body)
    assert parser.head_pending
    assert parser.error is None
    # After the check, the body needs a file, and none is allowed.
    parser.received((head + body)[consumed:])
    assert parser.error.code == 503
    parser.close()
