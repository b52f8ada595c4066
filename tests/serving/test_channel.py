"""A connection's requests: what is refused before its body has come, and how the server's own answers look."""

from __future__ import annotations

import time

import pytest

from tests.serving.running import Client, Running, request, running, until
from tests.serving.test_admission import fill


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
    """Bytes of bodies that are kept in memory."""
    bodies = server.server._listener.adj.bodies
    with bodies._lock:
        return (16 << 20) - bodies._free


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
    until(lambda: not full.server.admission.inside)
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
        pass  # the answer is there already
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
    """There may be nothing more yet where as much came as was asked for."""
    with running() as server:
        client = server.connect()
        data = request("POST", "/a", b"y" * 200_000)
        seen = server.server._listener
        for end in (8 << 10, (8 << 10) + size):
            client.send(data[:end])
            until(lambda end=end: sum(c.request.body_bytes_received for c in list(seen.active_channels.values())))
            data = data[end:]
            time.sleep(0.01)
        client.send(data)
        assert b'"length": 200000' in client.answer().body
