"""The status of a hook at an event: done, now, to come, or never run."""

from __future__ import annotations

from typing import Any

from tests.trace.apps import every_framework, stepped
from wsgi_core.trace import Event
from wsgi_core.trace.hook_status import hooks_at


def states(events: list[Event], kind: str, name: str | None = None) -> dict[str, str]:
    index = next(i for i, event in enumerate(events) if event.kind == kind and name in (None, event.name))
    return {f"{hook.kind} {hook.name}": hook.state for hook in hooks_at(events, index)}


@every_framework
def test_hooks_are_done_now_or_to_come(fw: Any) -> None:
    events = stepped(fw, "ok")
    assert "view item" not in states(events, "request context pushed")  # the rule is not matched yet
    assert states(events, "view") == {
        "url value preprocessor preprocess": "done",
        "before_request before": "done",
        "view item": "now",
        "after_request after": "to come",
        "teardown_request teardown": "to come",
        "teardown_appcontext teardown_app": "to come",
    }
    assert states(events, "response made")["after_this_request late"] == "to come"
    assert set(states(events, "body chunk").values()) == {"done"}


@every_framework
def test_hooks_that_never_run_are_named_so(fw: Any) -> None:
    found = states(stepped(fw, "before_request_answers"), "before_request", "first")
    assert (found["before_request second"], found["view index"]) == ("never runs", "never runs")


@every_framework
def test_hooks_stand_in_the_order_in_which_they_run(fw: Any) -> None:
    events = stepped(fw, "nested_blueprints")
    kinds = ("url value preprocessor", "before_request", "view", "after_request", "teardown_request")
    ran = [(event.kind, event.name) for event in events if event.kind in kinds]
    index = next(i for i, event in enumerate(events) if event.kind == "url matched")
    assert [(hook.kind, hook.name) for hook in hooks_at(events, index)] == ran


@every_framework
def test_each_request_of_a_recording_begins_anew(fw: Any) -> None:
    events = stepped(fw, "session_comes_back")
    second = [i for i, event in enumerate(events) if event.kind == "url matched"][1]
    assert {hook.state for hook in hooks_at(events, second)} == {"to come"}
    snapshot = events[second].snapshot
    assert snapshot is not None
    assert (snapshot.response, snapshot.session) == (None, {"visits": "1"})
