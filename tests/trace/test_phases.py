"""Which functions of a framework are watched, and which calls count as a phase."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from tests.trace.apps import every_framework, new_app, seen
from wsgi_core.trace import trace


@every_framework
def test_overridden_phases_count_once(fw: t.Any) -> None:
    class Mine(fw.App):  # type: ignore[misc]
        def finalize_request(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            return super().finalize_request(*args, **kwargs)

        def make_response(self, rv: t.Any) -> t.Any:
            return super().make_response(rv)

    events = trace(new_app(SimpleNamespace(App=Mine)), "/").events
    assert seen(events, "response made") == seen(events, "response finalized") == ["200 OK"]


@every_framework
def test_signals_are_seen_when_somebody_listens(fw: t.Any) -> None:
    app = new_app(fw)
    before = dict(fw.request_started.receivers)
    assert not seen(trace(app, "/").events, "signal sent")

    def listener(sender: t.Any, **kwargs: t.Any) -> None:
        pass

    with fw.request_started.connected_to(listener, app):
        (signal,) = (event for event in trace(app, "/").events if event.kind == "signal sent")
    assert signal.key == ("signal sent", "request_started", "to listener")
    assert "appcontext_popped" in seen(trace(app, "/", signals=True).events, "signal sent")
    assert dict(fw.request_started.receivers) == before


def test_only_the_app_of_a_framework_can_be_traced() -> None:
    with pytest.raises(TypeError, match="neither a Flask app nor"):
        trace(SimpleNamespace(), {})
