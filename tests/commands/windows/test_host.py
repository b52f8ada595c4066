"""What is reported to the service manager of Windows, tested with a fake pywin32 that records the calls."""

from __future__ import annotations

import logging
import os
import sys
import types
import typing as t
from collections.abc import Callable

import pytest

from wsgi_core.commands.windows import host, worker

START_PENDING, RUNNING, STOP_PENDING, STOPPED = "start pending", "running", "stop pending", "stopped"


class Framework:
    """A fake of pywin32's base class of services, with the methods that the project uses."""

    def __init__(self, args: t.Sequence[str]) -> None:
        self.told: list[tuple[object, ...]] = []

    def ReportServiceStatus(self, *status: object) -> None:
        self.told.append(status)


class Ended(BaseException):
    """Raised instead of ending the process."""


@pytest.fixture(autouse=True)
def _pywin32(monkeypatch: pytest.MonkeyPatch) -> None:
    states = types.SimpleNamespace(
        SERVICE_START_PENDING=START_PENDING, SERVICE_RUNNING=RUNNING, SERVICE_STOP_PENDING=STOP_PENDING,
        SERVICE_STOPPED=STOPPED,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "win32service", states)
    monkeypatch.setitem(sys.modules, "win32serviceutil", types.SimpleNamespace(ServiceFramework=Framework))
    monkeypatch.setattr(logging, "shutdown", lambda: None)

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)


def run(monkeypatch: pytest.MonkeyPatch, code: int, stopped: bool) -> list[tuple[object, ...]]:
    """Run a service whose worker exits with ``code``, ``stopped`` by the manager or not. Return what it reports."""

    class Worker:
        stop_milliseconds = 7000
        stopping = False

        def __init__(self, arguments: t.Sequence[str], events: object) -> None: ...

        def stop(self) -> None:
            self.stopping = True

        def work(self, running: Callable[[], None]) -> int:
            running()
            if stopped:
                service.SvcStop()
            return code

    monkeypatch.setattr(worker, "Worker", Worker)
    service = host._service_class(["churn", ""])([])
    if code:
        with pytest.raises(Ended, match=str(code)):
            service.SvcRun()
    else:
        service.SvcRun()
    told: list[tuple[object, ...]] = service.told
    return told[2:]


def test_a_clean_stop_is_left_to_pywin32(monkeypatch: pytest.MonkeyPatch):
    assert run(monkeypatch, 0, stopped=True) == [(STOP_PENDING, 7000)]


def test_an_end_that_nobody_asked_for_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    assert run(monkeypatch, 3, stopped=False) == [(STOPPED, 0, host._SPECIFIC, 3)]


def test_a_stop_that_left_requests_unanswered_starts_nothing_again(monkeypatch: pytest.MonkeyPatch):
    assert run(monkeypatch, 1, stopped=True) == [(STOP_PENDING, 7000), (STOPPED, 0, 0, 1)]
