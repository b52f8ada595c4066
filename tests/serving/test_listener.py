"""Slow clients, idle clients and too many clients: each has a limit, and other clients can still connect."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tests.serving.running import Client, running
from wsgi_core.serving import channel, listener, nonblocking
from wsgi_core.serving.parser import Parser


def test_headers_that_take_too_long_are_408():
    with running(header_timeout=0.05) as server:
        client = server.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        reply = client.answer()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert "headers" in reply.error
        assert client.ended()


def test_a_body_that_takes_too_long_is_408():
    with running(body_timeout=0.05) as server:
        client = server.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        reply = client.answer()
        assert reply.status == 408
        assert "body" in reply.error
        assert client.ended()


def test_a_slow_request_behind_a_running_one_waits_for_its_turn():
    with running(header_timeout=0.05) as server:
        client = server.connect()
        client.send(b"GET /work HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\n")
        server.app.wait_begun()
        threading.Event().wait(0.6)  # the loop checks twice in this time
        server.app.open()
        assert client.answer().status == 200
        assert client.answer().status == 408


def test_a_connection_without_a_request_is_closed_after_a_time():
    with running() as server:
        fresh, used = server.connect(), server.connect()
        used.ask("/a")
        server.change(idle_timeout=0.05)
        assert fresh.ended()
        assert used.ended()


def test_a_client_that_takes_nothing_of_its_answer_frees_its_thread():
    def endless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter(lambda: b"x" * 100_000, b"")

    with running(endless, threads=1, send_timeout=0.3) as server:
        deaf = server.connect()
        deaf.get("/")
        other = server.connect()
        other.get("/")
        assert other.file.read(100) != b""


def test_more_idle_connections_than_fit_make_room_for_new_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_IDLE_ABOVE_LIMIT", 0.0)
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)
    with running(max_connections=5) as server:
        idle = [server.connect() for _ in range(5)]
        for client in idle:
            client.ask("/a")
        assert [server.connect().ask("/b").status for _ in range(5)] == [200] * 5
        assert sum(client.ended() for client in idle[:2]) == 2  # the connections that have been idle longest


def test_connections_with_a_request_are_never_closed_for_new_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_SILENT_ABOVE_LIMIT", 60.0)  # not even if the new one gets no CPU for a while
    with running(max_connections=2, threads=2) as server:
        working = [server.connect() for _ in range(2)]
        for client in working:
            client.get("/work")
        server.app.wait_begun(2)
        late = server.connect()
        late.get("/late")
        threading.Event().wait(0.3)
        server.app.open()
        assert [client.answer().status for client in working] == [200] * 2
        assert late.answer().status == 200


def test_two_hundred_kept_connections_are_served_in_turn():
    with running(threads=2, max_waiting=400) as server:
        clients = [server.connect() for _ in range(200)]
        for _ in range(3):
            for client in clients:
                client.get("/a")
            assert [client.answer().status for client in clients] == [200] * 200


def test_a_crowd_that_never_rests_lets_others_in(monkeypatch: pytest.MonkeyPatch):
    """Above the limit of connections, the server closes busy connections, too, each after a response."""
    for name in ("_IDLE_ABOVE_LIMIT", "_SILENT_ABOVE_LIMIT"):  # a client that gets no CPU is not closed for it
        monkeypatch.setattr(listener, name, 60.0)
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)  # no request is refused because the server got no CPU
    with running(max_connections=4, threads=2, max_waiting=100) as server:
        crowd = [server.connect() for _ in range(4)]
        stop = threading.Event()
        told: list[str | None] = []

        def keep_asking(client: Client) -> None:
            while not stop.is_set():
                reply = client.ask("/a")
                if reply.headers.get("connection") == "close":
                    told.append("close")
                    client.close()
                    client = server.connect()

        threads = [threading.Thread(target=keep_asking, args=(client,)) for client in crowd]
        for thread in threads:
            thread.start()
        assert [server.connect().ask("/b").status for _ in range(8)] == [200] * 8
        stop.set()
        for thread in threads:
            thread.join(20)
        assert told


def test_guests_who_do_not_go_keep_nobody_out(monkeypatch: pytest.MonkeyPatch):
    """These are clients that stay connected after their last response, and clients that do not read it."""
    monkeypatch.setattr(listener, "_IDLE_ABOVE_LIMIT", 0.1)
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)  # no request is refused because the server got no CPU

    def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        size = 8 << 20 if environ["PATH_INFO"] == "/large" else 1
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]

    with running(large, max_connections=4, threads=3, max_waiting=10) as server:
        rests = [server.connect() for _ in range(4)]
        for client in rests:
            client.ask("/a")
        told = server.connect()
        told.ask("/a")  # and does not close its connection
        for _ in range(3):
            server.connect().get("/large")  # and does not read the response
        for _ in range(6):
            assert server.connect().ask("/a").status == 200


def test_what_goes_wrong_with_one_connection_ends_that_one_alone(monkeypatch: pytest.MonkeyPatch):
    parse = Parser.parse_header

    def explode(self: Parser, header_plus: bytes) -> None:
        if b"/explode" in header_plus:
            raise RuntimeError("boom")
        parse(self, header_plus)

    monkeypatch.setattr(Parser, "parse_header", explode)
    with running() as server:
        for _ in range(2):
            client = server.connect()
            client.get("/explode")
            assert client.ended()
        assert server.connect().ask("/a").status == 200


def test_without_files_for_more_connections_it_waits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    accept, tried = nonblocking.accept, []

    def out_of_files(sock: socket.socket) -> Any:
        tried.append(sock)
        if len(tried) < 3:
            raise OSError(24, "Too many open files")
        return accept(sock)

    monkeypatch.setattr(listener, "_ACCEPT_BACKOFF", 0.1)
    monkeypatch.setattr(nonblocking, "accept", out_of_files)
    with running() as server:
        assert server.connect().ask("/a").status == 200
    assert caplog.text.count("Too many open files") == 2


def test_nobody_wakes_a_loop_that_has_ended():
    with running() as server:
        poller = server.server._poller
        server.connect().ask("/a")
    poller.wake()
    assert poller._outer.fileno() == -1
