"""Requests with large bodies are processed one after another, and do not delay other requests."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from tests.serving.running import PATIENCE, Client, Running, request, running, until
from tests.serving.test_admission import make
from wsgi_core.serving.body_buffer import ByteBudget
from wsgi_core.serving.dispatcher import TaskDispatcher, WorkerPool
from wsgi_core.shared.settings import Settings

LARGE = request("POST", "/work", b"x" * 600_000)
LIMIT = 1 << 20


def send_large(server: Running, count: int) -> list[Client]:
    """Connect ``count`` clients that send a large body. The first request is being processed."""
    clients = [server.connect() for _ in range(count)]
    for number, client in enumerate(clients, 1):
        client.send(LARGE)
        while server.server.admission.admitted < number:
            server.connect().ask("/healthz")
    server.app.wait_begun()
    return clients


def test_large_bodies_stand_aside_and_others_pass_them():
    with running(threads=2, max_waiting=4, max_content_length=LIMIT) as server:
        clients = send_large(server, 3)
        small = server.connect()
        assert [small.ask("/quick").status for _ in range(3)] == [200] * 3
        assert not server.app.begun.acquire(blocking=False)
        server.app.open()
        assert [client.answer().status for client in clients] == [200] * 3
        assert small.ask("/quick").status == 200


def test_as_many_large_ones_as_are_one_of_the_largest_are_at_work():
    with running(threads=3, max_waiting=4, max_content_length=2 * LIMIT) as server:
        clients = send_large(server, 3)
        server.app.wait_begun(2)
        server.app.open()
        assert [client.answer().status for client in clients] == [200] * 3


def test_one_alone_is_at_work_whatever_its_size():
    with running(threads=2, max_content_length=600_000) as server:
        client = server.connect()
        server.app.open()
        for _ in range(3):
            client.send(LARGE)
            assert client.answer().status == 200


def test_a_body_that_is_read_in_pieces_is_not_large():
    with running(threads=2, max_waiting=4, max_content_length=600_000) as server:
        streams = [server.connect() for _ in range(2)]
        for client in streams:
            client.send(LARGE.replace(b"/work", b"/predict/stream"))
        assert [client.answer().status for client in streams] == [200] * 2


@pytest.mark.parametrize("left", [0, 1])
def test_one_that_stands_aside_and_leaves_makes_no_difference(left: int):
    with running(threads=2, max_waiting=4, max_content_length=LIMIT) as server:
        clients = send_large(server, 3)
        clients[1 + left].reset()
        while server.server.admission.admitted > 2:
            server.connect().ask("/healthz")
        server.app.open()
        assert [client.answer().status for client in (clients[0], clients[2 - left])] == [200] * 2
        assert server.connect().ask("/quick").status == 200


def test_a_large_body_that_waits_too_long_is_answered_503_while_another_one_runs():
    with running(threads=2, max_content_length=LIMIT) as server:
        clients = send_large(server, 3)
        server.change(max_wait=0.3)
        for client in clients[1:]:
            answer = client.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        server.app.open()
        assert clients[0].answer().status == 200
        until(lambda: server.server.admission.admitted == 0)


def test_the_loop_reads_the_queue_under_its_lock(monkeypatch: pytest.MonkeyPatch):
    """Otherwise a worker thread could empty the queue at the same time, and the server would end with an IndexError."""
    dispatcher = TaskDispatcher(Settings(threads=1), make(), ByteBudget(0))
    locked: list[bool] = []

    class Queue(deque[Any]):
        def __getitem__(self, index: Any) -> Any:
            locked.append(dispatcher._lock.locked())
            return SimpleNamespace(body_size=0)

    until(lambda: len(dispatcher._idle) == 1)
    monkeypatch.setattr(dispatcher, "_queue", Queue("x"))
    assert dispatcher.poll_timeout(1.0) == 0.0
    assert locked
    assert all(locked)
    dispatcher._queue.clear()
    assert dispatcher.end(PATIENCE)


class Named:
    """A WSGI application: each request waits for the gate that its query names. `begun` has the queries in order."""

    def __init__(self, names: str) -> None:
        self.gates = {name: threading.Event() for name in names}
        self.begun: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        if name := environ["QUERY_STRING"]:
            self.begun.append(name)
            assert self.gates[name].wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.mark.parametrize("expires", [True, False])
def test_large_bodies_that_were_parked_keep_their_order_and_hold_nothing_after_they_expire(expires: bool):
    app = Named("ABCSE")
    with running(app, threads=2, max_waiting=10, max_content_length=2 * LIMIT) as server:

        def send(name: str, size: int, **headers: str) -> Client:
            client = server.connect()
            before = server.server.admission.admitted
            client.send(request("POST", f"/x?{name}", b"x" * size, **headers))
            until(lambda: server.server.admission.admitted == before + 1)
            return client

        first = send("A", 2 * LIMIT)
        until(lambda: app.begun == ["A"])
        second = send("B", LIMIT)
        third = send("C", LIMIT, **({"X_Request_Timeout": "1"} if expires else {}))
        small = send("S", 10)  # occupies the other thread
        until(lambda: "S" in app.begun)
        app.gates["A"].set()
        assert first.answer().status == 200
        until(lambda: len(app.begun) == 3)
        assert app.begun[2] == "B"
        if expires:  # in the queue, because both threads are occupied
            assert third.answer().status == 503
        for name in "BCSE":
            app.gates[name].set()
        others = [second, small] if expires else [second, third, small]
        assert [client.answer().status for client in others] == [200] * len(others)
        last = server.connect()
        last.send(request("POST", "/x?E", b"x" * (2 * LIMIT)))
        assert last.answer().status == 200
        until(lambda: server.server.admission.admitted == 0)


def test_threads_that_could_not_be_started_are_started_later(monkeypatch: pytest.MonkeyPatch):
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    app = Named("AB")
    with running(app, threads=1) as server:
        pool = server.server.site.dispatcher
        first, other, second = (server.connect() for _ in range(3))
        with monkeypatch.context() as patched:
            until(lambda: len(pool._idle) == 1)
            first.get("/x?A")  # processed by the leader, which counts as a worker thread meanwhile
            until(lambda: pool.live == 2)
            other.get("/quick")  # wakes the worker thread, which ends because there is one too many
            until(lambda: pool.live == 1)
            patched.setattr(threading.Thread, "start", refuse)
            app.gates["A"].set()
            assert first.answer().status == other.answer().status == 200
        second.get("/x?B")
        until(lambda: "B" in app.begun)
        assert server.connect().ask("/healthz").status == 200
        app.gates["B"].set()
        assert second.answer().status == 200
        assert other.ask("/quick").status == 200


def test_a_pool_can_be_stopped_while_it_starts_a_thread(monkeypatch: pytest.MonkeyPatch):
    pool = WorkerPool(1, "work")
    stopped: list[bool] = []
    stop = threading.Thread(target=lambda: stopped.append(pool.shutdown(time.monotonic() + PATIENCE)))

    class Slow(threading.Thread):
        def start(self) -> None:
            stop.start()
            time.sleep(0.05)
            super().start()

    monkeypatch.setattr(threading, "Thread", Slow)
    pool.threads = 2
    pool._fill()
    stop.join(PATIENCE)
    assert stopped == [True]
