"""Contexts: what they make available, for how long, and the errors without a context."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from tests.conformance import wire


@pytest.mark.parametrize("name", ["request", "session"])
def test_outside_a_request_these_say_so(web: Any, name: str):
    proxy = getattr(web, name)
    assert not proxy
    with pytest.raises(RuntimeError, match="request context"):
        _ = proxy.anything
    with web.app().app_context(), pytest.raises(RuntimeError, match="request context"):
        _ = proxy.anything


@pytest.mark.parametrize("name", ["g", "current_app"])
def test_outside_an_app_context_these_say_so(web: Any, name: str):
    with pytest.raises(RuntimeError, match="application context"):
        _ = getattr(web, name).anything


def test_proxies_stand_for_the_objects(web: Any):
    app = web.app()
    with app.test_request_context("/x?a=1"):
        assert web.current_app._get_current_object() is app
        assert isinstance(web.request, web.Request)
        assert web.request.args["a"] == "1"
        assert web.current_app == app
        assert "path" in dir(web.request)
        web.g.value = 1
        assert "value" in web.g
        assert list(web.g) == ["value"]
        with pytest.raises(AttributeError):
            _ = web.request.nothing


def test_whether_there_is_a_context(web: Any):
    app = web.app()
    has = web.has_request_context, web.has_app_context
    assert [function() for function in has] == [False, False]
    with app.app_context():
        assert [function() for function in has] == [False, True]
        with app.test_request_context():
            assert [function() for function in has] == [True, True]


def test_g_lives_as_long_as_its_context(web: Any):
    app = web.app()
    seen: list[Any] = []

    @app.route("/")
    def index() -> str:
        seen.append(web.g.get("count"))
        web.g.count = 1
        return ""

    app.teardown_appcontext(lambda exc: seen.append(web.g.count))
    for _ in range(2):
        app.test_client().get("/")
    assert seen == [None, 1, None, 1]


def test_a_request_within_the_apps_context_shares_g(web: Any):
    """The request context pushes an application context only if none of its app is current."""
    app, other = web.app(), web.app()
    app.add_url_rule("/", "index", lambda: str(web.g.get("name")))
    with app.app_context():
        web.g.name = "shared"
        assert wire.call(app, wire.environ("GET", "/", {}, b"")).body == b"shared"
    with other.app_context():
        web.g.name = "other"
        assert wire.call(app, wire.environ("GET", "/", {}, b"")).body == b"None"


def test_g_is_a_namespace(web: Any):
    with web.app().app_context():
        g = web.g
        assert g.setdefault("a", 1) == 1
        assert g.setdefault("a", 2) == 1
        assert g.get("b", 3) == 3
        assert g.pop("a") == 1
        assert g.pop("a", None) is None
        with pytest.raises(KeyError):
            g.pop("a")
        with pytest.raises(AttributeError):
            _ = g.a
        assert "flask.g of 'tests'" in repr(g)


def test_contexts_nest_and_end_in_order(web: Any):
    first, second = web.app(), web.app()
    with first.app_context():
        with second.app_context():
            assert web.current_app == second
        assert web.current_app == first


def test_the_wrong_context_cannot_be_popped(web: Any):
    def wrongly(make: Any) -> None:
        outer, inner = make(), make()
        outer.push()
        inner.push()
        with pytest.raises(AssertionError, match="Popped wrong"):
            outer.pop()

    app = web.app()
    for make in (app.app_context, app.test_request_context):
        contextvars.copy_context().run(wrongly, make)


def test_a_context_cannot_be_popped_more_often_than_pushed(web: Any):
    def too_often(make: Any) -> None:
        ctx, other = make(), make()
        with other:
            for _ in range(2):
                ctx.push()
            for _ in range(2):
                ctx.pop()
            with pytest.raises(IndexError):
                ctx.pop()

    app = web.app()
    for make in (app.app_context, app.test_request_context):
        contextvars.copy_context().run(too_often, make)


def test_a_context_may_be_pushed_twice_and_tears_down_once(web: Any):
    app, seen = web.app(), []
    app.teardown_request(lambda exc: seen.append("request"))
    app.teardown_appcontext(lambda exc: seen.append("app"))
    ctx = app.test_request_context()
    with ctx:
        with ctx:
            assert web.request.path == "/"
        assert seen == []
    assert seen == ["request", "app"]


def test_teardown_sees_the_error_of_the_with_block(web: Any):
    app, seen = web.app(), []
    app.teardown_request(lambda exc: seen.append(exc))
    app.teardown_appcontext(lambda exc: seen.append(exc))
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine"), app.test_request_context():
        raise error
    assert seen == [error, error]


def test_threads_and_tasks_start_without_a_context_but_copies_carry_it(web: Any):
    app, seen = web.app(), []

    def look() -> None:
        seen.append(web.has_request_context())

    async def task() -> None:
        look()

    with app.test_request_context():
        for target in (look, contextvars.copy_context().run):
            thread = threading.Thread(target=target, args=() if target is look else (look,))
            thread.start()
            thread.join()
        asyncio.run(task())
    assert seen == [False, True, True]


def test_copy_current_request_context_carries_the_request_into_a_thread(web: Any):
    app, seen = web.app(), []
    app.secret_key = "k"

    @app.route("/<name>")
    def index(name: str) -> str:
        web.session["name"] = name

        @web.copy_current_request_context
        def work() -> None:
            seen.append((web.request.path, web.current_app.name, web.session["name"]))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return ""

    app.test_client().get("/n")
    assert seen == [("/n", "tests", "n")]


def test_these_functions_need_a_request(web: Any):
    with web.app().app_context():
        with pytest.raises(RuntimeError, match="request context"):
            web.after_this_request(lambda response: response)
        with pytest.raises(RuntimeError, match="request context"):
            web.copy_current_request_context(lambda: None)


def test_after_this_request_runs_once_before_the_after_functions(web: Any):
    app, seen = web.app(), []

    @app.after_request
    def after(response: Any) -> Any:
        seen.append("after")
        return response

    @app.route("/<int:times>")
    def index(times: int) -> str:
        for number in range(times):
            web.after_this_request(lambda response, number=number: seen.append(number) or response)
        return ""

    client = app.test_client()
    client.get("/2")
    client.get("/0")
    assert seen == [0, 1, "after", "after"]


def test_the_environ_does_not_keep_the_request(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: "")
    environ = wire.environ("GET", "/", {}, b"")
    wire.call(app, environ)
    assert environ["werkzeug.request"] is None


def test_the_context_shows_what_it_is_of(web: Any):
    ctx = web.app().test_request_context("/x?y=1")
    assert repr(ctx) == "<RequestContext 'http://localhost/x?y=1' [GET] of tests>"


def test_the_request_context_has_an_adapter_though_matching_may_do_without(web: Any):
    app = web.app()
    app.add_url_rule("/plain", "plain", lambda: "")
    with app.test_request_context("/plain") as ctx:
        assert ctx.url_adapter.match() == ("plain", {})
        assert web.request.url_rule.endpoint == "plain"


def test_the_app_context_builds_urls_with_server_name(web: Any):
    app = web.app()
    assert app.app_context().url_adapter is None
    app.config["SERVER_NAME"] = "a.example"
    app.add_url_rule("/", "index", lambda: "")
    assert app.app_context().url_adapter.build("index", force_external=True) == "http://a.example/"
