"""A stopping server answers all received requests, and then ends."""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

import pytest

from tests.serving.running import Client, Gate, Running, request, running, until
from wsgi_core.serving import Server, channel, listener
from wsgi_core.serving.channel import Channel
from wsgi_core.serving.command import bind
from wsgi_core.shared.settings import Settings


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep idle connections open during a stop, because their clients may get no CPU for a while."""
    monkeypatch.setattr(listener, "_IDLE_DURING_STOP", 60.0)


def refuses_connections(server: Running) -> bool:
    try:
        socket.create_connection(server.address, timeout=5).close()
    except OSError:
        return True
    return False


def wait_until_it_stops(server: Running) -> None:
    """Wait until the server no longer accepts connections."""
    until(lambda: not server.server._listener.accepting)


def test_an_idle_server_stops_and_says_that_nobody_was_left():
    with running() as server:
        server.server.stop()
        assert server.join() is True
        assert refuses_connections(server)


def test_running_waiting_streaming_and_half_sent_requests_are_answered():
    with running(threads=2, max_waiting=3) as server:
        streaming, working, waiting, sending = (server.connect() for _ in range(4))
        streaming.get("/stream")
        working.get("/work")
        server.app.wait_begun(2)
        waiting.get("/work")
        half = request("POST", "/late", b"x" * 1000)
        sending.send(half[:500])
        server.connect().ask("/healthz")
        server.server.stop()
        wait_until_it_stops(server)
        sending.send(half[500:])
        server.app.open()
        for client in (working, waiting, sending):
            reply = client.answer()
            assert reply.status == 200
            assert reply.headers["connection"] == "close"
            assert client.ended()
        assert streaming.answer().body == b"firstlast"
        assert server.join() is True


def test_a_second_request_on_a_kept_connection_is_still_answered(patient: None):
    with running() as server:
        client = server.connect()
        assert "connection" not in client.ask("/a").headers
        server.server.stop()
        wait_until_it_stops(server)
        reply = client.ask("/b")
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert client.ended()
        assert server.join() is True


def test_an_http_1_0_client_that_keeps_its_connection_is_told_too(patient: None):
    with running() as server:
        client = server.connect()
        client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer().headers["connection"] == "Keep-Alive"
        server.server.stop()
        wait_until_it_stops(server)
        client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer().headers["connection"] == "close"


@pytest.mark.parametrize(("path", "pieces"), [("/quick", 1), ("/boom", 1), ("/stream", 3)])
def test_the_head_leaves_in_one_piece_with_what_follows(monkeypatch: pytest.MonkeyPatch, path: str, pieces: int):
    sent: list[bytes] = []
    send = Channel.send

    def recorded(self: Channel, data: bytes) -> None:
        sent.append(data)
        send(self, data)

    monkeypatch.setattr(Channel, "send", recorded)
    with running() as server:
        server.app.open()
        server.connect().ask(path)
    assert len([data for data in sent if data]) == pieces
    assert not sent[0].endswith(b"\r\n\r\n")


def test_clients_that_the_system_has_let_in_are_answered():
    """The clients have sent requests, but the server does not run yet and has not accepted their connections."""
    app = Gate()
    server = Server(app, bind("127.0.0.1", 0), Settings(threads=2, max_waiting=20))
    clients = [Client(("127.0.0.1", server.port)) for _ in range(20)]
    for client in clients:
        client.get("/quick")
    server.stop()
    assert server.run() is True
    assert [client.answer().status for client in clients] == [200] * 20
    for client in clients:
        client.close()


def test_readiness_goes_first_and_everything_else_after_the_pause():
    with running(stop_pause=60) as server:
        readiness = server.app.extensions["readiness"]
        assert readiness.ready
        server.server.stop()
        assert not readiness.ready
        client = server.connect()
        reply = client.ask("/quick")
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert client.ended()
        server.server.abort()
        assert server.join() is True


def test_abort_ends_at_once_and_says_that_somebody_was_left():
    with running() as server:
        client = server.connect()
        client.get("/work")
        server.app.wait_begun()
        server.server.stop()
        server.server.abort()
        assert server.join() is False
        assert client.ended()


def test_a_stop_has_a_limit():
    with running(stop_timeout=0.05) as server:
        server.connect().get("/work")
        server.app.wait_begun()
        server.server.stop()
        assert server.join() is False


def test_an_idle_client_does_not_hold_up_the_stop():
    with running() as server:
        clients = [server.connect() for _ in range(5)]
        for client in clients[1:]:
            client.ask("/a")
        server.server.stop()
        assert server.join() is True
        assert all(client.ended() for client in clients)


def test_where_there_are_no_filters_a_stop_works_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "other")
    with running() as server:
        client = server.connect()
        client.get("/a")
        server.server.stop()
        assert client.answer().status == 200
        assert server.join() is True


def test_stopping_again_afterwards_does_nothing():
    with running() as server:
        server.server.stop()
        server.join()
        server.server.stop()
        server.server.abort()


def test_its_threads_end_with_it():
    before = set(threading.enumerate())
    with running(threads=3) as server:
        server.connect().ask("/a")
    assert set(threading.enumerate()) <= before


def test_the_application_finds_the_figures_of_the_server():
    with running() as server:
        assert server.app.extensions["server"] is server.server
        clients = [server.connect() for _ in range(3)]
        clients[0].get("/work")
        server.app.wait_begun()
        clients[1].send(b"GET /a HTTP/1.1\r\n")
        until(lambda: server.server.connections() == {"running": 1, "reading": 1, "idle": 1})
        assert server.server.gauges()["waiting_requests"] == 0


def test_an_application_without_extensions_is_served_too():
    def plain(environ: dict[str, object], start_response: object) -> list[bytes]:
        assert callable(start_response)
        start_response("204 No Content", [])
        return []

    with running(plain) as server:
        assert server.connect().ask("/a").status == 204


@pytest.mark.parametrize("turn", range(3))
def test_fifty_kept_connections_lose_nothing(turn: int, patient: None):
    """Each client sends requests until a response has Connection: close. Every request gets a response."""
    with running(max_waiting=100) as server:
        server.app.open()
        lost: list[str] = []
        clients = [threading.Thread(target=ask_until_told, args=(server.connect(), lost)) for _ in range(50)]
        for client in clients:
            client.start()
        server.app.wait_begun(100)
        server.server.stop()
        for client in clients:
            client.join(20)
        assert lost == []
        assert server.join() is True


@pytest.mark.skipif(sys.platform == "win32", reason="select() waits for so many connections only")
def test_a_stop_answers_also_those_for_whom_there_was_no_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)  # no request is refused because the server got no CPU
    with running(max_connections=4, max_waiting=100) as server:
        server.app.open()
        clients = [server.connect() for _ in range(60)]
        for client in clients:
            client.get("/a")
        server.server.stop()
        assert [client.answer().status for client in clients] == [200] * 60
        assert server.join() is True


def ask_until_told(client: Client, lost: list[str]) -> None:
    """Send requests until a response has the header Connection."""
    try:
        while "connection" not in client.ask("/work").headers:
            pass
    except Exception as error:
        lost.append(repr(error))


# Half-closed connections (RFC 9112, section 9)


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
