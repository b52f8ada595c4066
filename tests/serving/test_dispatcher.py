"""Requests with large bodies are at work one after the other, and keep nobody else waiting."""

from __future__ import annotations

import threading
import time

import pytest

from tests.serving.running import PATIENCE, Client, Running, request, running
from wsgi_core.serving.dispatcher import WorkerPool

LARGE = request("POST", "/work", b"x" * 600_000)
LIMIT = 1 << 20


def send_large(server: Running, count: int) -> list[Client]:
    """So many clients that have sent a large body, of which the first is at work."""
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
    with running(threads=2, max_wait=0.3, max_content_length=LIMIT) as server:
        clients = send_large(server, 3)
        for client in clients[1:]:
            answer = client.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        server.app.open()
        assert clients[0].answer().status == 200
        assert server.server.admission.admitted == 0


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
