"""The text of an event, and the properties of a trace."""

from __future__ import annotations

import pytest

from tests.trace.apps import every_framework, new_app
from wsgi_core.trace import GROUPS, Event, Trace, trace


def test_time_and_place_do_not_count() -> None:
    assert Event("view", "a", file="x.py", line=1, start_us=1.0) == Event("view", "a", file="y.py", note="n")


@pytest.mark.parametrize("other", [Event("close", "a", "b"), Event("view", "x", "b"), Event("view", "a", "x")], ids=str)
def test_kind_name_and_detail_count(other: Event) -> None:
    assert Event("view", "a", "b") != other
    assert Event("view", "a", "b").key != other.key


def test_details_are_added_up() -> None:
    event = Event("before_request", "check")
    event.add_detail("answers")
    event.add_detail("another app")
    assert str(event) == "before_request: check (answers; another app)"


def test_what_the_caller_did_has_no_location() -> None:
    assert Event("close").location == ""
    assert Event("view", "index", file="app.py", line=3).location == "app.py:3"


def test_a_trace_lasts_until_the_end_that_comes_last() -> None:
    outer, inner = Event("close", start_us=1, duration_us=10), Event("close callback", start_us=2, duration_us=3)
    assert Trace("", [outer, inner]).duration_us == 11
    assert Trace("", []).duration_us == 0


@every_framework
def test_every_event_of_a_request_belongs_to_a_group(fw: object) -> None:
    result = trace(new_app(fw), "/", signals=True)
    assert {event.kind for event in result.events} <= set(GROUPS)
    assert str(result).splitlines() == [str(event) for event in result.events]
