"""The requests of a connection: which are rejected before their body arrives, and the server's own responses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.serving.running import Client, Running, request, running, until
from tests.serving.test_admission import fill
from wsgi_core.serving import body_buffer


@pytest.fixture
def full():
    with running() as server:
        fill(server)
        yield server


def begin(server: Running, length: int, **headers: str) -> Client:
    """Send the head of a request with a body of ``length`` bytes."""
    client = server.connect()
    client.send(request("POST", "/a", Content_Length=str(length), **headers))
    return client


def kept(server: Running) -> int:
    """Return the size of all bodies in memory."""
    return server.server.site.bodies.memory.used


def test_a_body_without_a_place_is_not_kept(full: Running):
    client = begin(full, 1_000_000)
    client.send(b"x" * 999_999)
    until(lambda: full.server.admission.refused["overloaded"])
    assert kept(full) == 0
    client.send(b"x")
    reply = client.answer()
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert full.server.admission.refused == {"overloaded": 1}


def test_the_connection_is_good_for_the_next_request(full: Running):
    client = begin(full, 100_000)
    client.send(b"x" * 100_000 + request("GET", "/next"))
    assert [client.answer().status, client.answer().status] == [503, 503]
    full.app.open()
    until(lambda: not full.server.admission.admitted)
    assert client.ask("/after").status == 200


def test_a_body_in_chunks_without_a_place_is_read_to_its_end(full: Running):
    client = full.connect()
    client.send(request("POST", "/a", Transfer_Encoding="chunked") + b"186a0\r\n")
    client.send(b"x" * 100_000)
    client.send(b"\r\n0\r\n\r\n" + request("GET", "/next"))
    assert [client.answer().status, client.answer().status] == [503, 503]
    assert kept(full) == 0


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Transfer_Encoding": "chunked"}, b"7fffffff\r\n" + b"x" * 5_000_000), ({"Content_Length": "5000000"}, b"")],
)
def test_limits_hold_for_it_too(full: Running, headers: dict[str, str], body: bytes):
    client = full.connect()
    client.send(request("POST", "/a", **headers))
    try:
        client.send(body)
    except ConnectionError:
        pass  # the server has already responded
    assert client.answer().status == 413


def test_who_asks_before_sending_a_body_is_told_at_once(full: Running):
    client = begin(full, 100, Expect="100-continue")
    reply = client.answer()
    assert (reply.status, reply.headers["connection"]) == (503, "close")
    assert client.ended()


def test_who_asks_before_sending_a_body_is_told_to_where_there_is_a_place():
    with running() as server:
        client = begin(server, 5, Expect="100-continue")
        assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert client.file.readline() == b"\r\n"
        client.send(b"12345")
        assert b'"length": 5' in client.answer().body


@pytest.mark.parametrize("headers", [{}, {"Content_Length": "0"}])
def test_who_asks_before_sending_nothing_is_answered(headers: dict[str, str]):
    with running() as server:
        client = server.connect()
        client.get("/a", Expect="100-continue", **headers)
        assert client.answer().status == 200


def test_a_request_behind_another_is_judged_when_its_turn_comes():
    """By then, the slot of the previous request is free."""
    with running(threads=1, max_waiting=0) as server:
        client = server.connect()
        client.get("/work")
        server.app.wait_begun()
        whole = request("POST", "/a", b"x" * 10_000)
        client.send(whole[:5000])
        assert server.connect().ask("/a").status == 503  # by then, the server has read these bytes
        server.app.open()
        assert client.answer().status == 200
        client.send(whole[5000:])
        assert client.answer().status == 200


@pytest.mark.parametrize("full_meanwhile", [False, True])
def test_who_asks_behind_another_request_is_told_when_its_turn_comes(full_meanwhile: bool):
    with running(threads=1, max_waiting=0) as server:
        client = server.connect()
        client.send(request("GET", "/work") + request("POST", "/a", Content_Length="5", Expect="100-continue"))
        server.app.wait_begun()
        if full_meanwhile:
            assert server.connect().ask("/a").status == 503
        server.app.open()
        assert client.answer().status == 200
        assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert client.file.readline() == b"\r\n"
        client.send(b"12345")
        assert b'"length": 5' in client.answer().body


def test_who_asks_behind_a_refused_request_is_told_too(full: Running):
    client = full.connect()
    client.send(request("GET", "/a") + request("POST", "/a", Content_Length="5", Expect="100-continue"))
    first, second = client.answer(), client.answer()
    assert (first.status, "connection" in first.headers) == (503, False)
    assert (second.status, second.headers["connection"]) == (503, "close")


def test_health_with_a_body_has_a_place(full: Running):
    client = full.connect()
    client.send(request("GET", "/healthz", Content_Length="100000"))
    client.send(b"x" * 100_000)
    assert client.answer().status == 200


def test_a_refusal_keeps_an_old_client_if_it_asks_for_it(full: Running):
    client = full.connect()
    client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.answer().headers["connection"] == "Keep-Alive"
    client.send(b"GET /a HTTP/1.0\r\n\r\n")
    assert client.answer().headers["connection"] == "close"
    assert client.ended()


@pytest.mark.parametrize("first_line", [b"GET /a HTTP/0.9", b"GET /a HTTP/2.0", b"GET /a"])
def test_a_refusal_keeps_no_client_of_another_version(full: Running, first_line: bytes):
    client = full.connect()
    client.send(first_line + b"\r\n\r\n")
    assert client.answer().headers["connection"] == "close"
    assert client.ended()


def test_a_refusal_ends_the_connection_of_a_client_that_wants_it(full: Running):
    client = full.connect()
    client.get("/a", Connection="close")
    assert client.answer().headers["connection"] == "close"
    assert client.ended()


def test_a_refusal_of_head_has_no_body(full: Running):
    client = full.connect()
    client.send(request("HEAD", "/a"))
    reply = client.answer("HEAD")
    assert (reply.status, reply.body) == (503, b"")
    assert int(reply.headers["content-length"]) > 0
    assert client.ask("/a").status == 503


def test_a_request_that_comes_with_the_connection_is_read_at_once_and_in_any_pieces():
    with running() as server:
        for size in (1, 50, 500):
            client = server.connect()
            data = request("POST", "/a", b"y" * 400)
            for start in range(0, len(data), size):
                client.send(data[start : start + size])
            assert b'"length": 400' in client.answer().body


@pytest.mark.parametrize("size", [8 << 10, 64 << 10])
def test_a_piece_that_fills_what_is_read_at_once_is_followed_by_the_rest(size: int):
    """If a read returns as many bytes as it may, more bytes may follow, now or later."""
    with running() as server:
        channels = server.server._listener.channels

        def received() -> int:
            requests = [channel.request for channel in list(channels)]
            return sum(one.header_bytes_received + one.body_bytes_received for one in requests if one is not None)

        client = server.connect()
        data = request("POST", "/a", b"y" * 200_000)
        for end in (8 << 10, (8 << 10) + size):
            client.send(data[end - size if end > 8 << 10 else 0 : end])
            until(lambda end=end: received() >= end)
            time.sleep(0.01)  # enough time for another read
        client.send(data[(8 << 10) + size :])
        assert b'"length": 200000' in client.answer().body


@pytest.mark.parametrize("size", [body_buffer.ALWAYS_IN_MEMORY + 1, body_buffer.MAX_IN_MEMORY + 1])
def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int):
    def full_disk() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(body_buffer.tempfile, "TemporaryFile", full_disk)
    monkeypatch.setattr(body_buffer, "MEMORY_LIMIT", 0)
    with running() as server:
        client = server.connect()
        client.send(request("POST", "/a", b"x" * size)[: body_buffer.ALWAYS_IN_MEMORY + 1000])
        reply = client.answer()
        assert (reply.status, reply.error) == (503, "the body cannot be stored")
        assert "could not be stored" in caplog.text
        assert server.connect().ask("/a").status == 200


def test_a_client_that_reads_nothing_keeps_nobody_waiting():
    """The I/O thread, which sends rejections, does not wait for the client, so /healthz responds."""

    def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(8 << 20))])
        return [b"x" * (8 << 20)]

    with running(large, threads=1) as server:
        client = server.connect()
        client.send(request("GET", "/large") + b"no request\r\n\r\n")
        assert len(client.file.read(1 << 20)) == 1 << 20
        assert server.connect().ask("/healthz").status == 200
        assert b"HTTP/1.0 400" in client.file.read()


def test_a_body_that_was_asked_for_and_does_not_come_is_408():
    with running(body_timeout=0.3, response_timeout=60) as server:
        client = server.connect()
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.answer().status == 408
