"""The first signal stops the server, and the second ends it at once. Then the previous handlers are restored."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import pytest

from wsgi_core.serving.signals import console_handler, stop_on_signals

NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]


class Told:
    """A fake server that records the calls of its methods."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def stop(self) -> None:
        self.calls.append("stop")

    def abort(self) -> None:
        self.calls.append("abort")


@pytest.fixture
def told() -> Any:
    return Told()


@pytest.mark.parametrize("first", NUMBERS)
@pytest.mark.parametrize("second", NUMBERS)
def test_the_first_signal_stops_and_the_second_ends(told: Any, first: int, second: int):
    with stop_on_signals(told):
        signal.raise_signal(first)
        assert told.calls == ["stop"]
        signal.raise_signal(second)
        assert told.calls == ["stop", "abort"]


def test_afterwards_the_handlers_are_those_of_before(told: Any):
    before = {number: signal.getsignal(number) for number in NUMBERS}
    with stop_on_signals(told):
        assert {number: signal.getsignal(number) for number in NUMBERS} != before
    assert {number: signal.getsignal(number) for number in NUMBERS} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no hang-up")
def test_a_closed_terminal_stops_and_never_ends(told: Any):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored if the tests run under nohup
    try:
        with stop_on_signals(told):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told.calls == ["stop", "stop"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no hang-up")
def test_a_hang_up_that_was_to_be_ignored_still_is(told: Any):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals(told):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told.calls == []


def test_in_another_thread_signals_are_left_alone(told: Any):
    before = signal.getsignal(signal.SIGTERM)
    during: list[Any] = []

    def run() -> None:
        with stop_on_signals(told):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert during == [before]


@pytest.mark.parametrize(
    ("event", "handled", "calls"),
    [
        pytest.param(0, False, [], id="Ctrl-C, which is also a signal"),
        pytest.param(2, True, ["stop"], id="closed console"),
        pytest.param(5, True, [], id="a user logs off"),
        pytest.param(6, True, ["stop"], id="shutdown"),
    ],
)
def test_windows_stops_the_server_except_when_a_user_logs_off(told: Any, event: int, handled: bool, calls: list[str]):
    ended = threading.Event()
    ended.set()
    assert console_handler(told, ended)(event) is handled
    assert told.calls == calls
