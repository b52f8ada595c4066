"""A socket is watched for the events that it waits for, and handled when they occur."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.serving.running import Client, until
from wsgi_core.serving import poller as module
from wsgi_core.serving.poller import READ, WRITE, Poller


class Watches:
    """A watched socket that records the calls of its handlers."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.calls: list[str] = []
        self.socket, self.poller = sock, poller
        self.number = sock.fileno()
        poller.watch(self, READ)

    def fileno(self) -> int:
        return self.number

    def handle_read(self) -> None:
        self.calls.append("read")

    def handle_write(self) -> None:
        self.calls.append("write")

    def handle_hangup(self) -> None:
        self.calls.append("hangup")

    def close(self) -> None:
        self.poller.unregister(self)
        self.socket.close()


class Pairs:
    """Sockets in a poller, and the other ends of their connections."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.made: list[Watches] = []
        self.others: list[socket.socket] = []

    def make(self) -> tuple[Watches, socket.socket]:
        ours, other = socket.socketpair()
        self.others.append(other)
        self.made.append(Watches(ours, self.poller))
        return self.made[-1], other


@pytest.fixture(params=["_Poll", "_Select"])
def pairs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pairs]:
    """Pairs with poll() as on Linux and macOS, and with select() as on Windows."""
    if request.param == "_Poll" and not hasattr(module.select, "poll"):
        pytest.skip("this system has no poll()")
    monkeypatch.setattr(module, "_Poll", getattr(module, request.param))
    pairs = Pairs()
    yield pairs
    for watches in pairs.made:
        watches.close()
    for other in pairs.others:
        other.close()
    pairs.poller.close()


def test_what_has_come_is_read(pairs: Pairs):
    watches, other = pairs.make()
    pairs.poller.step(0)
    assert watches.calls == []
    other.send(b"x")
    pairs.poller.step(1)
    assert watches.calls == ["read"]


def test_a_socket_is_not_handled_for_what_it_does_not_wait_for(pairs: Pairs):
    watches, other = pairs.make()
    pairs.poller.watch(watches, 0)
    other.send(b"x")
    pairs.poller.step(0)
    assert watches.calls == []
    pairs.poller.watch(watches, READ | WRITE)
    pairs.poller.step(1)
    assert watches.calls == ["read", "write"]


def test_a_forgotten_socket_is_not_handled(pairs: Pairs):
    watches, other = pairs.make()
    other.send(b"x")
    watches.close()
    pairs.poller.unregister(watches)
    began = time.monotonic()
    pairs.poller.step(0.05)
    assert watches.calls == []
    assert time.monotonic() - began > 0.02


def test_a_socket_that_another_ones_call_closes_is_not_handled(pairs: Pairs):
    first, second = pairs.make()[0], pairs.make()[0]
    for watches, other in zip((first, second), pairs.others, strict=True):
        watches.handle_read = lambda: (first.calls.append("read"), first.close(), second.close())  # type: ignore
        other.send(b"x")
    pairs.poller.step(1)
    assert first.calls == ["read"]


def test_a_handler_that_raises_closes_its_socket_alone(pairs: Pairs):
    broken, other = pairs.make()
    sound, its_other = pairs.make()
    broken.handle_read = lambda: 1 / 0  # type: ignore
    other.send(b"x")
    its_other.send(b"x")
    pairs.poller.step(1)
    assert sound.calls == ["read"]
    assert broken.socket.fileno() == -1


def test_many_busy_sockets_are_handled_in_turns(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MAX_EVENTS", 4)
    for _ in range(10):
        pairs.make()[1].send(b"x")
    for _ in range(5):
        pairs.poller.step(1)
    assert {len(watches.calls) for watches in pairs.made} == {2}


def test_a_listening_socket_is_handled_before_many_busy_ones(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MAX_EVENTS", 2)
    for _ in range(10):
        pairs.make()[1].send(b"x")
    pairs.poller.handle_first(pairs.made[9])
    for turn in range(1, 4):
        pairs.poller.step(1)
        assert len(pairs.made[9].calls) == turn


def test_another_thread_wakes_the_loop_with_a_call(pairs: Pairs):
    called: list[int] = []
    pairs.poller.step(0)
    thread = threading.Timer(0.05, pairs.poller.call, args=[lambda: called.append(threading.get_ident())])
    thread.start()
    began = time.monotonic()
    pairs.poller.step(20)
    pairs.poller.step(0)
    assert time.monotonic() - began < 10
    assert called == [threading.get_ident()]
    thread.join()


def test_a_call_that_raises_does_not_end_the_loop(pairs: Pairs):
    called: list[int] = []
    pairs.poller.call(lambda: called.append(1 // 0))
    pairs.poller.call(lambda: called.append(2))
    pairs.poller.step(0)
    assert called == [2]


@pytest.mark.skipif(not hasattr(module.select, "poll"), reason="select() does not tell of a reset that is not read")
def test_a_reset_is_told_also_to_a_socket_that_waits_for_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        ours, _ = listener.accept()
        poller = Poller()
        watches = Watches(ours, poller)
        poller.watch(watches, 0)
        client.socket.shutdown(socket.SHUT_WR)  # a half-closed connection is not a lost connection
        poller.step(0.05)
        assert watches.calls == []
        client.reset()
        until(lambda: poller.step(0.05) or "hangup" in watches.calls)
        watches.close()
        poller.close()
