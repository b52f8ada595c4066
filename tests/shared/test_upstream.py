"""Simultaneous calls to other services are limited. Each call has a deadline, and frees its slot at its end."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from wsgi_core.shared import upstream
from wsgi_core.shared.upstream import BoundedCalls, TooManyCalls

PATIENCE = 20


def test_a_call_returns_or_raises_what_its_function_does():
    calls = BoundedCalls(1, PATIENCE)
    for _ in range(3):
        assert calls.run(lambda: "answer") == "answer"
        with pytest.raises(ZeroDivisionError):
            calls.run(lambda: 1 // 0)
        with pytest.raises(SystemExit):
            calls.run(lambda: sys.exit(1))


def test_no_more_calls_than_allowed_go_on_at_once():
    calls, both, release = BoundedCalls(2, PATIENCE), threading.Barrier(3, timeout=PATIENCE), threading.Event()
    answers: list[bool] = []

    def call() -> bool:
        both.wait()
        return release.wait(PATIENCE)

    threads = [threading.Thread(target=lambda: answers.append(calls.run(call))) for _ in range(2)]
    for thread in threads:
        thread.start()
    both.wait()
    with pytest.raises(TooManyCalls):
        calls.run(lambda: None)
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == [True, True]


def test_the_slot_is_free_before_the_caller_continues(monkeypatch: pytest.MonkeyPatch):
    """The caller may call again at once."""
    calls, free = BoundedCalls(1, PATIENCE), []

    class Checked(Future[Any]):
        def set_result(self, result: Any) -> None:
            free.append(calls._slots._value)
            super().set_result(result)

        def set_exception(self, exception: BaseException | None) -> None:
            free.append(calls._slots._value)
            super().set_exception(exception)

    monkeypatch.setattr(upstream, "Future", Checked)
    assert calls.run(lambda: "answer") == "answer"
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 // 0)
    assert free == [1, 1]


def test_the_deadline_holds_while_the_name_is_looked_up():
    calls = BoundedCalls(1, 0.1)
    release = threading.Event()
    with pytest.raises(TimeoutError):
        calls.run(lambda: release.wait(10))  # getaddrinfo() has no timeout
    with pytest.raises(TooManyCalls):
        calls.run(lambda: None)
    release.set()

    for thread in threading.enumerate():
        if thread.name == "upstream":
            thread.join(PATIENCE)
    calls.seconds = PATIENCE
    assert calls.run(lambda: "free") == "free"
