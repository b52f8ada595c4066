"""The contents of a snapshot. Taking a snapshot changes nothing."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.conformance.golden_apps import CASES, new_app, record, visits
from tests.trace.apps import at, every_framework, stepped
from wsgi_core.trace import trace


@every_framework
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_events_are_those_of_a_trace_without(fw: Any, case: str) -> None:
    events = stepped(fw, case)
    assert events == record(CASES[case].build, CASES[case].drive, fw).events
    assert all(event.snapshot for event in events)


@every_framework
def test_without_being_asked_nothing_is_captured(fw: Any) -> None:
    assert all(event.snapshot is None for event in trace(new_app(fw), "/").events)


@every_framework
def test_contexts_are_there_when_they_are_pushed_and_gone_when_they_are_popped(fw: Any) -> None:
    events = stepped(fw, "ok")
    assert at(events, "request received").contexts == {"request context": "none", "app context": "none"}
    pushed = at(events, "app context pushed")
    assert (pushed.contexts["app context"], pushed.g, pushed.request) == (new_app(fw).import_name, {"": "empty"}, None)
    assert at(events, "request context pushed").contexts["request context"] == "GET /items/7"
    assert at(events, "request context popped").request is None
    assert at(events, "app context popped").g is None


@every_framework
def test_a_long_path_ends_with_an_ellipsis(fw: Any) -> None:
    events = trace(new_app(fw), f"/{400 * 'a'}", snapshots=True).events
    assert at(events, "request context pushed").contexts["request context"] == f"GET /{153 * 'a'}…"


@every_framework
def test_a_context_of_another_app_is_called_so(fw: Any) -> None:
    events = stepped(fw, "nested_app_context")
    stacks = [event.snapshot.contexts["app context"] for event in events if event.snapshot]
    name = new_app(fw).import_name
    assert {f"{name} over {name}", f"{name} (another app) over {name}", "none"} < set(stacks)


@every_framework
def test_values_are_those_of_the_moment(fw: Any) -> None:
    app = new_app(fw)

    @app.before_request
    def remember() -> None:
        fw.g.user = "ann"
        fw.g.api_token = "xyz"
        fw.session["n"] = 1

    @app.get("/<int:number>")
    def index(number: int) -> str:
        return "hello"

    events = trace(app, "/7", snapshots=True).events
    assert at(events, "before_request").g == {"": "empty"}
    view = at(events, "view")
    assert view.g == {"user": "'ann'", "api_token": "not shown"}
    assert view.session == {"n": "1"}
    assert view.request is not None
    assert (view.request["url_rule"], view.request["view_args"]) == ("<Rule '/<int:number>'>", "{'number': 7}")
    assert "xyz" not in repr(events[-1].snapshot) + repr(view)


@every_framework
def test_the_response_takes_shape(fw: Any) -> None:
    events = stepped(fw, "session_changed")
    assert at(events, "view").response is None
    made, saved = at(events, "response made").response, at(events, "session saved").response
    assert made is not None
    assert saved is not None
    assert (made[""], made["status"], made["body"]) == ("being made", "200 OK", "1")
    assert "Set-Cookie" not in made
    assert saved["Set-Cookie"].startswith("session=…;")
    assert at(events, "response started").response == {**saved, "": "sent", "body": "empty"}
    assert at(events, "body chunk").response == {**saved, "": "sent"}


@every_framework
def test_a_body_to_come_is_left_alone(fw: Any) -> None:
    events = stepped(fw, "generator")
    made = at(events, "response made").response
    assert made is not None
    assert made["body"] == "still to be generated"
    bodies = [event.snapshot.response["body"] for event in events if event.snapshot and event.snapshot.response]
    assert bodies[-1] == "oneno context"


@every_framework
def test_nothing_lazy_is_asked_for(fw: Any) -> None:
    asked: list[str] = []

    class Request(fw.Request):  # type: ignore[misc]
        @property
        def expensive(self) -> None:
            asked.append("expensive")

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    app = visits(fw)
    app.request_class = Request
    answers = [trace(app, "/untouched", snapshots=snapshots) for snapshots in (False, True)]
    assert not asked
    assert answers[0].headers == answers[1].headers
    assert "Vary" not in dict(answers[1].headers)  # the session was not accessed


@every_framework
def test_a_proxy_is_not_asked_for_what_it_stands_for(fw: Any) -> None:
    app = new_app(fw)

    @app.get("/")
    def index() -> str:
        fw.g.session = fw.session
        fw.g.value = fw.current_app
        fw.g.listed = [fw.session]
        return ""

    seen = trace(app, "/", snapshots=True)
    made = at(seen.events, "response made").g
    assert made == {"session": "<LocalProxy>", "value": "<LocalProxy>", "listed": "[<LocalProxy>]"}
    assert "Vary" not in dict(seen.headers)


@every_framework
def test_the_response_is_not_kept_alive(fw: Any) -> None:
    app, made = new_app(fw), list[Any]()

    @app.get("/")
    def index() -> Any:
        response = fw.Response("")
        made.append(weakref.ref(response))
        return response

    trace(app, "/", snapshots=True)
    gc.collect()
    assert made[0]() is None


@every_framework
def test_the_lines_that_run_lead_to_the_event(fw: Any) -> None:
    events = stepped(fw, "ok")
    view = at(events, "view")
    names = [location.name.rpartition(".")[2] for location in view.locations]
    assert names[-4:] == ["wsgi_app", "full_dispatch_request", "dispatch_request", "item"]
    caller = view.locations[-2]
    assert caller.first < caller.line <= caller.last
    with open(caller.filename, encoding="utf-8") as file:
        assert "view" in file.read().splitlines()[caller.line - 1]
    assert at(events, "request received").locations[0].name.endswith(".wsgi_app")
    assert at(events, "response started").locations[-1].name.endswith("__call__")
    assert at(events, "body chunk").locations == ()


def test_an_app_behind_a_callable_that_is_no_function_is_stepped_through(web: Any) -> None:
    app = web.app()

    class Middleware:
        def __init__(self, wsgi_app: Any) -> None:
            self.wsgi_app = wsgi_app

        def __call__(self, environ: Any, start_response: Any) -> Any:
            return self.wsgi_app(environ, start_response)

    app.wsgi_app = Middleware(app.wsgi_app)
    assert at(trace(app, "/", snapshots=True).events, "request received").locations[0].name.endswith("__call__")
