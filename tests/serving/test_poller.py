"""Who waits for something is watched for just that, and is told when it is there."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waitress import wasyncore

from wsgi_core.serving import poller as module
from wsgi_core.serving.poller import Poller


class Listens(wasyncore.dispatcher):  # type: ignore[misc]
    """Notes what it is called for, and waits for what it is told to."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.calls: list[str] = []
        self.wants = "r"
        super().__init__(sock, map=poller)
        self.connected = True

    def readable(self) -> bool:
        return "r" in self.wants

    def writable(self) -> bool:
        return "w" in self.wants

    def handle_read(self) -> None:
        self.calls.append("read")

    def handle_write(self) -> None:
        self.calls.append("write")


class Pairs:
    """Dispatchers in a poller, each with the other end of its connection."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.others: list[socket.socket] = []

    def make(self) -> tuple[Any, socket.socket]:
        ours, other = socket.socketpair()
        self.others.append(other)
        return Listens(ours, self.poller), other


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    made = Pairs(Poller())
    yield made
    for dispatcher in list(made.poller.values()):
        dispatcher.close()
    for other in made.others:
        other.close()
    made.poller.close()


def test_what_has_come_is_read_once_it_is_there(pairs: Pairs):
    dispatcher, other = pairs.make()
    pairs.poller.step(0)
    assert dispatcher.calls == []
    other.send(b"x")
    pairs.poller.step(1)
    assert dispatcher.calls == ["read"]


def test_nobody_is_called_for_what_he_does_not_wait_for(pairs: Pairs):
    dispatcher, other = pairs.make()
    dispatcher.wants = ""
    other.send(b"x")
    pairs.poller.step(0)
    assert dispatcher.calls == []
    dispatcher.wants = "rw"
    assert pairs.poller.changed(dispatcher)
    pairs.poller.step(1)
    assert dispatcher.calls == ["read", "write"]


def test_only_a_change_wakes_the_loop(pairs: Pairs):
    dispatcher, _ = pairs.make()
    pairs.poller.step(0)
    assert not pairs.poller.changed(dispatcher)
    dispatcher.wants = "w"
    assert pairs.poller.changed(dispatcher)


def test_what_a_call_changes_holds_from_the_next_step_on(pairs: Pairs):
    dispatcher, _ = pairs.make()
    dispatcher.wants = "w"
    dispatcher.handle_write = lambda: setattr(dispatcher, "wants", "")
    pairs.poller.step(1)
    dispatcher.handle_write = lambda: pytest.fail("it waits for nothing any more")
    pairs.poller.step(0)


def test_a_change_that_comes_while_the_system_is_told_is_seen(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    """Another thread that compares just then with what was watched before would find nothing to say."""
    dispatcher, _ = pairs.make()
    watch = Poller._watch

    def meanwhile(self: Poller, *args: Any) -> bool:
        told = watch(self, *args)
        dispatcher.wants = "w"
        return told

    monkeypatch.setattr(Poller, "_watch", meanwhile)
    pairs.poller.step(1)
    assert dispatcher.calls == ["write"]


def test_who_has_gone_is_watched_no_longer(pairs: Pairs):
    dispatcher, other = pairs.make()
    pairs.poller.step(0)
    other.send(b"x")
    dispatcher.close()
    assert not pairs.poller
    began = time.monotonic()
    pairs.poller.step(0.05)
    assert dispatcher.calls == []
    assert time.monotonic() - began > 0.02


def test_who_is_closed_by_another_ones_call_is_not_called(pairs: Pairs):
    first, _ = pairs.make()
    second, _ = pairs.make()
    for dispatcher, its_other in zip((first, second), pairs.others, strict=True):
        dispatcher.handle_read = lambda: (first.calls.append("read"), first.close(), second.close())
        its_other.send(b"x")
    pairs.poller.step(1)
    assert first.calls == ["read"]


def test_a_dispatcher_that_raises_ends_alone(pairs: Pairs):
    broken, other = pairs.make()
    sound, its_other = pairs.make()
    broken.handle_read = lambda: 1 / 0
    other.send(b"x")
    its_other.send(b"x")
    pairs.poller.step(1)
    assert sound.calls == ["read"]
    assert list(pairs.poller.values()) == [sound]


def test_a_crowd_is_served_in_turns_in_which_everybody_comes_up(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_IN_A_TURN", 4)
    crowd = [pairs.make() for _ in range(10)]
    for _, other in crowd:
        other.send(b"x")
    for _ in range(5):
        pairs.poller.step(1)
    assert sum(len(dispatcher.calls) for dispatcher, _ in crowd) == 20
    assert {len(dispatcher.calls) for dispatcher, _ in crowd} == {2}


def test_who_accepts_comes_first_in_a_crowd(pairs: Pairs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_IN_A_TURN", 1)
    for _ in range(3):
        pairs.make()[1].send(b"x")
    accepts, other = pairs.make()
    other.send(b"x")
    accepts.accepting = True
    accepts.handle_accept = lambda: accepts.calls.append("accept")
    pairs.poller.step(1)
    assert accepts.calls == ["accept"]
