"""The watcher reports only the watched calls, and does not change the application's behaviour."""

from __future__ import annotations

import asyncio
import sys
import threading
import typing as t
from types import CodeType, FrameType

import pytest

from tests.trace.apps import every_framework, new_app, seen
from wsgi_core.trace import recording, trace
from wsgi_core.trace.watcher import Watcher


@every_framework
def test_another_thread_is_left_out(fw: t.Any) -> None:
    app = new_app(fw)

    def ask() -> None:
        app.test_client().get("/")

    app.before_request(lambda: wait_for(ask) if threading.current_thread() is threading.main_thread() else None)
    assert seen(trace(app, "/").events, "view") == ["index"]


def wait_for(function: t.Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@every_framework
def test_nothing_is_left_behind(fw: t.Any) -> None:
    before = sys.getprofile(), threading.getprofile(), tools()
    app = new_app(fw)
    with pytest.raises(ZeroDivisionError), recording(app, signals=True):
        _ = 1 / 0
    trace(app, "/")
    assert (sys.getprofile(), threading.getprofile(), tools()) == before
    assert app.wsgi_app.__func__ is fw.App.wsgi_app


def tools() -> list[str | None]:
    return [sys.monitoring.get_tool(i) for i in range(6)] if sys.version_info >= (3, 12) else []


@every_framework
def test_an_error_of_the_watching_does_not_reach_the_app(fw: t.Any) -> None:
    app = new_app(fw)

    class Request(fw.Request):  # type: ignore[misc]
        @property
        def routing_exception(self) -> t.Any:
            if sys._getframe(1).f_code.co_name == "describe_match":
                raise LookupError
            return None

        @routing_exception.setter
        def routing_exception(self, value: t.Any) -> None:
            pass

    app.request_class = Request
    answers: list[str] = []
    with pytest.raises(RuntimeError, match="failed to follow"), recording(app) as recorded:
        answers.append(recorded.client().get("/").text)
    assert answers == ["hello"]


class Calls:
    """A listener that records the watched functions, and how each call ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[t.Any, ...]] = []
        self.watcher = Watcher(self.started, self.ended)

    def started(self, code: CodeType, frame: FrameType) -> None:
        assert frame.f_code is code
        self.seen.append((code.co_name,))

    def ended(self, code: CodeType, value: t.Any, raised: bool) -> None:
        self.seen.append((code.co_name, value, raised))


def double(number: int) -> int:
    return 2 * number


def fail() -> t.NoReturn:
    raise LookupError


def test_only_the_calls_of_watched_functions_are_reported() -> None:
    calls = Calls()
    calls.watcher.watch(double.__code__)
    double(1)
    calls.watcher.start()
    double(2)
    with pytest.raises(LookupError):
        fail()
    calls.watcher.watch(fail.__code__)
    with pytest.raises(LookupError):
        fail()
    calls.watcher.stop()
    double(3)
    assert calls.seen == [("double",), ("double", 4, False), ("fail",), ("fail", None, True)]


def test_a_coroutine_that_waits_is_one_call() -> None:
    async def view() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "hello"

    calls = Calls()
    calls.watcher.watch(view.__code__)
    calls.watcher.start()
    asyncio.run(view())
    calls.watcher.stop()
    assert calls.seen == [("view",), ("view", "hello", False)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_without_a_free_tool_the_watcher_does_not_start() -> None:
    first, second, third = Calls(), Calls(), Calls()
    first.watcher.start()
    second.watcher.start()
    try:
        with pytest.raises(RuntimeError, match="Other tools use all tool IDs of sys"):
            third.watcher.start()
    finally:
        second.watcher.stop()
        first.watcher.stop()
