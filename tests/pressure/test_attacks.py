"""Attacks on the limits of the server: what one client, or a few clients, can do to harm other clients.

docs/limits.md lists the limits, and SECURITY.md lists the promises. The timeouts are shorter than in production;
everything else is as in production.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.client import BadStatusLine
from typing import Any

import pytest

from tests.serving.running import PATIENCE, Client, Running, request, running, until
from wsgi_core.serving import body_buffer, channel, dispatcher, leader, listener
from wsgi_core.serving.command import bind
from wsgi_core.serving.parser import Parser

MIB = 1 << 20
SOON = PATIENCE / 2
"""Seconds within which a well-behaved client must be answered during an attack.

They are many, because the machine may be busy. An attack that harms other clients lasts longer.
"""

needs_many_files = pytest.mark.skipif(sys.platform == "win32", reason="select() takes 512 sockets")


class App:
    """An application: /stream and /trickle never end, /large sends 16 MiB, /page 200 KiB, other paths a few bytes."""

    def __init__(self) -> None:
        self.extensions: dict[str, Any] = {}
        self.calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.calls += 1
        path = environ["PATH_INFO"]
        if path == "/stream":
            start_response("200 OK", [])
            return iter(lambda: b"x" * 100_000, b"")
        if path == "/trickle":
            start_response("200 OK", [])
            return iter(lambda: time.sleep(0.02) or b"x", b"")
        size = {"/large": 16 * MIB, "/page": 200 << 10}.get(path, 2)
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]


def deaf(server: Running) -> Client:
    """Connect a client that never reads, with a small receive buffer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(server.address)
    client = Client.__new__(Client)
    client.socket, client.file = sock, sock.makefile("rb")
    server.opened.append(client)
    return client


def answered_soon(server: Running, path: str = "/", status: int = 200) -> None:
    """Check that a new client is answered.

    Above the limit of connections, the server closes a connection that is silent. A client that had no CPU in this time
    connects again, at most twice.
    """
    began = time.monotonic()
    for _ in range(2):
        with contextlib.suppress(ConnectionError, BadStatusLine):
            reply = server.connect().ask(path)
            break
    else:
        reply = server.connect().ask(path)
    assert reply.status == status
    assert time.monotonic() - began < SOON


def states(server: Running) -> dict[str, int]:
    return dict(server.server.connections())


@contextlib.contextmanager
def attacked(**settings: Any) -> Iterator[Running]:
    with running(App(), **{"threads": 4, "max_waiting": 1000, "max_wait": 60, **settings}) as server:
        server.opened = []  # type: ignore[attr-defined]
        try:
            yield server
        finally:
            for client in server.opened:  # type: ignore[attr-defined]
                client.close()


# Clients that do not read.


def test_pipelined_requests_of_clients_that_read_nothing_hold_no_thread():
    with attacked() as server:
        clients = [deaf(server) for _ in range(8)]
        for client in clients:
            client.send(request("GET", "/page") * 8 + request("GET", "/large"))
        for _ in range(5):
            answered_soon(server)
        # Each client's requests are processed until a response does not fit into the buffers, and no further.
        until(lambda: states(server).get("sending", 0) + states(server).get("lingering", 0) >= 1)
        assert server.app.calls <= 8 * 9 + 5
        until(lambda: states(server).get("running", 0) == 0)


def test_the_next_request_is_not_processed_before_the_response_is_read():
    with attacked() as server:
        client = deaf(server)
        client.send(request("GET", "/large") + request("GET", "/"))
        until(lambda: states(server) == {"sending": 1})
        time.sleep(0.1)
        assert server.app.calls == 1
        assert len(client.answer().body) == 16 * MIB
        assert client.answer().body == b"xx"


def test_a_slot_is_kept_while_much_of_the_response_is_unsent():
    with attacked(max_per_client=2) as server:
        clients = [deaf(server) for _ in range(2)]
        for client in clients:
            client.get("/large")
        until(lambda: states(server) == {"sending": 2})
        assert server.connect().ask("/").status == 429
        assert len(clients[0].answer().body) == 16 * MIB
        answered_soon(server)
        clients[1].reset()
        until(lambda: server.server.admission.admitted == 0)


@pytest.mark.parametrize("streams", [4, 12])
def test_streams_that_are_not_read_leave_threads_for_others(streams: int):
    with attacked() as server:
        for _ in range(streams):
            deaf(server).get("/stream")
        until(lambda: states(server).get("blocked") == streams)
        for _ in range(5):
            answered_soon(server)
        figures = server.server.gauges()
        assert streams * MIB < figures["unsent_bytes"] < streams * 2 * MIB


def test_streams_that_are_read_leave_a_thread_for_others():
    with attacked(threads=2) as server:
        for _ in range(6):
            server.connect().get("/trickle")
        until(lambda: states(server).get("streaming") == 6)
        for _ in range(5):
            answered_soon(server)


def test_the_threads_of_streams_end_with_them():
    with attacked(threads=2) as server:
        clients = [deaf(server) for _ in range(6)]
        for client in clients:
            client.get("/stream")
        pool = server.server.site.dispatcher
        until(lambda: len(pool.blocked) == 6 and pool.live == 8)
        for client in clients:
            client.reset()
        until(lambda: (pool.streams, len(pool.blocked), server.server.admission.admitted) == (0, 0, 0))
        for _ in range(20):
            answered_soon(server)
        until(lambda: pool.live == 2)


def test_a_stream_that_blocks_the_leader_leaves_no_thread_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leader, "_TICK", 0.2)  # the stream is blocked long before the follower takes over
    with attacked(threads=2) as server:
        pool = server.server.site.dispatcher
        until(lambda: len(pool._idle) == 2)
        before = pool.loop._leader
        deaf(server).get("/stream")
        until(lambda: len(pool.blocked) == 1 and pool.loop._leader != before)
        until(lambda: pool.live == 3)


def test_above_the_limit_of_streams_the_longest_blocked_one_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatcher, "MAX_WAITING_STREAMS", 3)
    monkeypatch.setattr(dispatcher, "_BLOCKED_SECONDS", 60.0)
    with attacked(threads=2) as server:
        first = [deaf(server) for _ in range(4)]
        for number, client in enumerate(first, 1):
            client.get("/stream")
            until(lambda number=number: states(server).get("blocked") == number)
        refused = server.connect()
        refused.get("/stream")
        assert refused.answer().status == 503  # no stream has been blocked for long enough to be closed
        monkeypatch.setattr(dispatcher, "_BLOCKED_SECONDS", 0.0)
        last = deaf(server)
        last.get("/stream")
        until(lambda: len(server.server._listener.channels) == 5 and states(server).get("blocked") == 4)
        answered_soon(server)


def test_the_unsent_bytes_of_all_connections_have_one_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_BLOCKED", 0.3)
    with attacked(max_unsent=40 * MIB) as server:
        clients = [deaf(server) for _ in range(20)]
        most = 0.0
        for client in clients:
            client.get("/large")
            most = max(most, server.server.gauges()["unsent_bytes"])
        until(lambda: server.server.gauges()["unsent_bytes"] <= 40 * MIB)
        # Before the sum is checked, each thread may add one response to it.
        assert most <= 40 * MIB + 4 * 16 * MIB
        until(lambda: states(server).get("running", 0) + states(server).get("waiting", 0) == 0)
        until(lambda: server.connect().ask("/").status == 200)
        until(lambda: states(server).get("sending", 0) <= 3)


@pytest.mark.parametrize(
    "settings",
    [{"send_timeout": 0.3}, {"send_timeout": 0.3, "min_send_rate": 1 << 40}, {"response_timeout": 0.5}],
    ids=["nothing is read", "too little is read", "it takes too long"],
)
@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_a_response_that_is_read_too_slowly_is_aborted(settings: dict[str, float], path: str):
    with attacked(**settings) as server:
        client = deaf(server)
        client.get(path)
        until(lambda: server.app.calls)
        if "min_send_rate" in settings or "response_timeout" in settings:
            with contextlib.suppress(OSError):  # reads a few bytes at a time
                until(lambda: not server.server._listener.channels or not client.socket.recv(8192) or time.sleep(0.01))
        until(lambda: not server.server._listener.channels)
        until(lambda: server.server.gauges()["unsent_bytes"] == 0)
        until(lambda: server.server.admission.admitted == 0)


def test_a_stop_does_not_wait_for_clients_that_read_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_BLOCKED_DURING_STOP", 0.3)
    with attacked() as server:
        for path in ("/large", "/stream"):
            deaf(server).get(path)
        until(lambda: set(states(server)) == {"sending", "blocked"})
        server.server.stop()
        server.join()


def test_clients_that_read_a_little_do_not_stop_the_service(monkeypatch: pytest.MonkeyPatch):
    """Above `max_unsent` no request begins. The clients read all the time, but would need minutes for the rest."""
    monkeypatch.setattr(listener, "_BLOCKED", 0.3)
    with attacked(max_unsent=40 * MIB, max_wait=SOON) as server:
        clients = [deaf(server) for _ in range(12)]
        for client in clients:
            client.get("/large")
        until(lambda: server.server.site.unsent.exceeded)
        over = threading.Event()

        def read_slowly() -> None:
            while not over.wait(0.05):
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.socket.settimeout(0)
                        client.socket.recv(2048)

        reader = threading.Thread(target=read_slowly)
        reader.start()
        try:
            for _ in range(5):
                answered_soon(server)
        finally:
            over.set()
            reader.join()


# Clients that send little.


def test_empty_lines_do_not_hold_a_connection():
    with attacked() as server:
        slow, quick = server.connect(), server.connect()
        quick.send(b"\r\n" * 1000)
        assert quick.answer().status == 400
        server.change(header_timeout=0.3, idle_timeout=0.6)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while server.server._listener.channels and time.monotonic() < began + PATIENCE:
                slow.send(b"\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < SOON
        server.change(header_timeout=60, idle_timeout=60)
        answered_soon(server)


@needs_many_files
@pytest.mark.parametrize("part", [b"", b"G", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"])
def test_many_idle_connections_do_not_block_other_clients(monkeypatch: pytest.MonkeyPatch, part: bytes):
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)  # no request is refused because the server got no CPU
    with attacked(max_connections=100) as server:
        clients = [server.connect() for _ in range(140)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.send(part)
        for _ in range(5):
            answered_soon(server)
            answered_soon(server, "/healthz")
        until(lambda: len(server.server._listener.channels) <= 101)


@needs_many_files
@pytest.mark.parametrize(
    "part", [b"POST / HTTP/1.1\r\nHost: x\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"]
)
def test_connections_that_are_fed_slowly_do_not_block_other_clients(monkeypatch: pytest.MonkeyPatch, part: bytes):
    """A byte every 40 ms is never silence. The attacker connects again whenever a connection is closed."""
    monkeypatch.setattr(channel, "_OVERLOAD_WAIT", 60.0)
    monkeypatch.setattr(listener, "_OLD_HEAD_ABOVE_LIMIT", 0.5)
    monkeypatch.setattr(listener, "_OLD_BODY_ABOVE_LIMIT", 0.5)
    with attacked(max_connections=40) as server:
        over = threading.Event()

        def feed() -> None:
            clients: list[socket.socket | None] = [None] * 60
            while not over.wait(0.04):
                for place, client in enumerate(clients):
                    try:
                        if client is None:
                            client = clients[place] = socket.create_connection(server.address, timeout=0.1)
                            client.sendall(part)
                        client.sendall(b"a")
                    except OSError:
                        if client is not None:
                            client.close()
                        clients[place] = None
            for client in filter(None, clients):
                client.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            time.sleep(1)
            for _ in range(5):
                answered_soon(server)
                answered_soon(server, "/healthz")
        finally:
            over.set()
            feeder.join()


def test_health_is_answered_while_every_connection_has_a_waiting_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "_SILENT_ABOVE_LIMIT", 60.0)  # a client that gets no CPU is not closed for it
    with running(threads=1, max_waiting=1000, max_connections=20) as server:
        clients = []
        for _ in range(60):
            clients.append(server.connect())
            clients[-1].get("/work")
            time.sleep(0.005)
        for _ in range(5):
            answered_soon(server, "/healthz")
        # At the limit of connections a new request is refused, and its connection is closed.
        assert server.connect().ask("/work").status == 503
        server.app.open()
        statuses = [client.answer().status for client in clients]
        assert set(statuses) == {200, 503}
        assert statuses.count(200) >= 20


def test_an_incomplete_request_above_the_limit_gets_408():
    with attacked(max_connections=4) as server:
        clients = []
        for number in range(5):
            clients.append(server.connect())
            clients[-1].send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
            if number < 4:
                until(lambda number=number: states(server) == {"reading": number + 1})
        until(lambda: len(server.server._listener.channels) <= 4)
        told, _, _ = select.select([client.socket for client in clients], [], [], PATIENCE)
        assert [client.answer().status for client in clients if client.socket in told] == [408]


def test_connections_of_one_address_are_limited():
    with attacked(max_connections_per_client=3) as server:
        clients = [server.connect() for _ in range(3)]
        assert [client.ask("/").status for client in clients] == [200] * 3
        assert server.connect().ended()
        clients[0].close()
        until(lambda: len(server.server._listener.channels) == 2)
        answered_soon(server)


def test_the_monitoring_port_answers_while_the_main_port_is_blocked():
    with bind("127.0.0.1", 0) as monitor:
        address = monitor.getsockname()
        with running(App(), {"monitor_sock": monitor}, max_connections=2, threads=1) as server:
            for _ in range(3):
                server.connect().send(b"GET")
            probe = Client(address)
            assert probe.ask("/healthz").status == 200
            assert probe.ask("/").status == 404
            assert "monitor" not in probe.ask("/metrics").headers
            probe.close()


# Bodies.


def test_a_refused_upload_leaves_nothing_on_disk():
    def unauthorized(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []

    with running(told={"check_head": lambda environ: unauthorized}, max_content_length=100 * MIB) as server:
        clients = [server.connect() for _ in range(6)]
        for client in clients:
            client.send(request("POST", "/a", Content_Length=str(8 * MIB)))
            for _ in range(8):
                client.send(b"x" * MIB)
                assert server.server.site.bodies.disk.used == 0
        assert [client.answer().status for client in clients] == [401] * 6
        assert server.app.seen == []


def test_small_bodies_are_accepted_while_large_ones_fill_memory_and_disk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body_buffer, "MEMORY_LIMIT", 2 * MIB)
    with attacked(max_body_disk=4 * MIB) as server:
        clients = [server.connect() for _ in range(9)]
        for client in clients:
            client.send(request("POST", "/", Content_Length=str(MIB)) + b"x" * (MIB - 1))  # never the last byte
        bodies = server.server.site.bodies
        until(lambda: bodies.disk.used + bodies.memory.used >= 4 * MIB)
        for _ in range(5):
            client = server.connect()
            client.send(request("POST", "/", b"x" * 10_000))
            assert client.answer().status == 200


def test_a_stream_that_pauses_is_not_aborted():
    """The client always reads, but the application has nothing to send for a second."""

    def paused(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        time.sleep(1)
        yield b"last"

    with running(paused, send_timeout=0.2) as server:
        assert server.connect().ask("/").body == b"firstlast"


# What the server answers itself.


class Refusal:
    """An application that rejects a request, after `over` is set or after 2 * `SOON` seconds.

    `threads` has the names of the threads that called the application.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self.threads: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.threads.append(threading.current_thread().name)
        self.over.wait(2 * SOON)
        start_response("415 Unsupported Media Type", [("Content-Length", "0")])
        return []


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}])
def test_a_slow_rejection_by_the_head_does_not_keep_others_waiting(headers: dict[str, str]):
    refusal = Refusal()
    with running(told={"check_head": lambda environ: refusal}) as server:
        client = server.connect()
        client.send(request("POST", "/a", Content_Length="1", **headers))
        if not headers:
            time.sleep(0.1)  # so that the head arrives alone
            client.send(b"x")
        until(lambda: refusal.threads)
        begun = time.monotonic()
        assert server.connect().ask("/healthz").status == 200
        assert server.connect().ask("/quick").status == 200
        assert time.monotonic() - begun < SOON
        refusal.over.set()
        assert client.answer().status == 415
        assert server.app.seen[-1]["PATH_INFO"] == "/quick"


def test_pipelined_requests_that_are_refused_do_not_keep_others_waiting():
    flood = request("GET", "/a") * 200
    with running(threads=1, max_waiting=0) as server:
        server.connect().get("/work")
        server.app.wait_begun()
        clients = [server.connect() for _ in range(100)]
        over = threading.Event()

        def attack(part: list[Client]) -> None:
            for client in part:
                client.socket.settimeout(0)
            while not over.is_set():
                for client in part:
                    with contextlib.suppress(OSError):
                        client.socket.send(flood)
                    with contextlib.suppress(OSError):
                        while client.socket.recv(1 << 16):
                            pass

        threads = [threading.Thread(target=attack, args=(clients[n::2],)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                begun = time.monotonic()
                assert server.connect().ask("/healthz").status == 200
                assert time.monotonic() - begun < SOON
        finally:
            over.set()
            for thread in threads:
                thread.join()
        server.app.open()


def test_pipelined_requests_are_answered_one_after_the_other_without_a_pause():
    with attacked() as server:
        client = server.connect()
        began = time.monotonic()
        client.send(request("GET", "/") * 1000)
        assert [client.answer().status for _ in range(1000)] == [200] * 1000
        assert time.monotonic() - began < SOON


def test_every_pipelined_request_that_is_refused_gets_its_answer():
    with running(threads=1, max_waiting=0) as server:
        server.connect().get("/work")
        server.app.wait_begun()
        client = server.connect()
        client.send(request("GET", "/a") * 50)
        assert [client.answer().status for _ in range(50)] == [503] * 50
        server.app.open()


def test_many_requests_for_metrics_do_not_delay_health():
    over = threading.Event()

    class Metrics(App):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/metrics":
                over.wait(0.5)
            return super().__call__(environ, start_response)

    with running(Metrics()) as server:
        clients = [server.connect() for _ in range(100)]
        for client in clients:
            client.get("/metrics")
        begun = time.monotonic()
        assert server.connect().ask("/healthz").status == 200
        assert time.monotonic() - begun < SOON
        over.set()
        for client in clients:
            client.close()


@pytest.mark.parametrize("first", [b"abc", b"a", b"abcd"])
def test_an_application_that_exceeds_its_length_without_end_is_stopped(first: bytes, caplog: pytest.LogCaptureFixture):
    def endless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "3")])
        yield first
        while True:
            yield b"bc"

    with running(endless, threads=1) as server:
        client = server.connect()
        assert client.ask("/").body == (first + b"bc")[:3]
        until(lambda: "more bytes than its Content-Length" in caplog.text)
        assert client.ask("/").status == 200  # the only thread is free again


def test_a_connection_goes_on_if_the_body_of_its_request_cannot_be_closed(monkeypatch: pytest.MonkeyPatch):
    def broken(self: Any) -> None:
        raise OSError("no space left on device")

    with running() as server:
        client = server.connect()
        with monkeypatch.context() as patched:
            patched.setattr(Parser, "close", broken)
            assert client.ask("/a").status == 200
        assert client.ask("/a").status == 200
        until(lambda: server.server.admission.admitted == 0)


def test_a_client_that_sends_only_an_empty_line_is_closed_without_an_answer():
    with running(header_timeout=0.2) as server:
        client = server.connect()
        assert client.ask("/a").status == 200
        client.send(b"\r\n")
        assert client.ended()
