"""Calls become events with their location, time and order."""

from __future__ import annotations

import re
import typing as t

import pytest

from tests.trace.apps import every_framework, hooks_of_one_def, new_app, seen
from wsgi_core.trace import trace
from wsgi_core.trace.phases import WatchList
from wsgi_core.trace.recorder import Recorder
from wsgi_core.trace.source_paths import short_path


@every_framework
def test_events_know_their_place_and_time(fw: t.Any) -> None:
    app = new_app(fw)

    def index() -> str:
        return "hello"

    app.view_functions["index"] = index
    result = trace(app, "/")
    view = next(event for event in result.events if event.kind == "view")
    assert view.location == f"{short_path(__file__)}:{index.__code__.co_firstlineno}"
    assert 0 < view.duration_us < result.duration_us
    pushed = next(event for event in result.events if event.kind == "app context pushed")
    assert re.fullmatch(r"(flask/ctx|wsgi_core/context)\.py:\d+", pushed.location)


@every_framework
def test_the_order_is_seen_and_not_assumed(fw: t.Any) -> None:
    app = new_app(fw)
    hooks_of_one_def(app)
    assert seen(trace(app, "/").events, "after_request") == ["two", "one"]

    class Reversed(list[t.Any]):
        def __reversed__(self) -> t.Iterator[t.Any]:
            return iter(self)

    app.after_request_funcs[None] = Reversed(app.after_request_funcs[None])
    assert seen(trace(app, "/").events, "after_request") == ["one", "two"]


@every_framework
def test_an_event_is_as_deep_as_the_events_around_it(fw: t.Any) -> None:
    app = new_app(fw)
    app.after_request(lambda response: response)
    depths = {event.kind: event.depth for event in trace(app, "/").events}
    assert (depths["request received"], depths["view"], depths["after_request"]) == (0, 1, 1)
    assert depths["request context pushed"] < depths["session opened"]
    assert depths["body chunk"] == 0


def send_and_fail(recorder: Recorder) -> None:
    recorder.point("body chunk")
    _ = 1 / 0


@every_framework
def test_a_span_ends_although_its_block_raises(fw: t.Any) -> None:
    recorder = Recorder(WatchList(new_app(fw)))
    with pytest.raises(ZeroDivisionError), recorder.span("close", ""):
        send_and_fail(recorder)
    recorder.point("body exhausted")
    assert [(event.kind, event.depth) for event in recorder.events] == [
        ("close", 0),
        ("body chunk", 1),
        ("body exhausted", 0),
    ]


@every_framework
def test_a_function_that_raises_says_so_and_one_that_answers_too(fw: t.Any) -> None:
    app = new_app(fw)

    def before() -> str:
        return "instead"

    def after(response: t.Any) -> t.NoReturn:
        raise LookupError

    app.before_request(before)
    app.after_request(after)
    lines = str(trace(app, "/")).splitlines()
    assert "before_request: before (answers)" in lines
    assert "after_request: after (raises)" in lines
