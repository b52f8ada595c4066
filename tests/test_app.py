"""The phases of a request run in Flask's order, whatever the hooks, the view and the handlers do.

The same app is built on both frameworks. The events and their order must be the same.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

import wsgi_core
from tests.conformance import wire
from tests.conftest import CORE, FLASK, checked_client
from tests.examples import examples
from wsgi_core import App

# The order of events, on both frameworks

SIGNALS = (
    "appcontext_pushed", "request_started", "got_request_exception", "request_finished", "request_tearing_down",
    "appcontext_tearing_down", "appcontext_popped",
)  # fmt: skip
OWNERS = ("app", "outer", "inner")
HOOKS = ("preprocess", "before1", "before2", "view", "after1", "after2", "teardown1", "teardown2")
OTHERS = ("app:this", "app:context1", "app:context2", "handler:404", "handler:403", "handler:500", "handler:exc",
          "inner-handler:exc", "inner-handler:403", "processor")  # fmt: skip
SPOTS = [f"{owner}:{hook}" for owner in OWNERS for hook in HOOKS] + list(OTHERS)
ACTIONS = ("raise", "abort", "answer", "key error", "late")


class Oops(Exception):
    """The exception that the tests raise."""


class Story:
    """An app that logs its events. ``plan`` maps a spot, such as a hook, to what happens there."""

    def __init__(self, web: Any, plan: dict[str, str], handlers: frozenset[str], config: dict[str, Any]) -> None:
        self.web, self.plan, self.log = web, plan, []  # type: ignore[var-annotated]
        self.app = web.app()
        self.app.config.update(config)
        outer = web.Blueprint("outer", "tests", url_prefix="/outer")
        inner = web.Blueprint("inner", "tests", url_prefix="/inner")
        for name, owner in zip(OWNERS, (self.app, outer, inner), strict=True):
            self._add_hooks(name, owner)
        self._add_handlers(handlers, inner)
        for name in ("context1", "context2"):
            self.app.teardown_appcontext(lambda exc, name=name: self._at(f"app:{name}", exc))
        outer.register_blueprint(inner)
        self.app.register_blueprint(outer)
        # The signals have only weak references to the listeners, which end with the story.
        self.listeners = {name: self._listener(name) for name in SIGNALS}
        for name, listener in self.listeners.items():
            getattr(web, name).connect(listener, self.app)

    def _listener(self, name: str) -> Any:
        def listen(sender: Any, **extra: Any) -> None:
            shown = extra.get("response") or extra.get("exception") or extra.get("exc")
            self.log.append(f"signal {name} {self._show(shown)}")

        return listen

    @staticmethod
    def _show(value: Any) -> str:
        if hasattr(value, "status"):
            return str(value.status)
        return type(value).__name__ if isinstance(value, Exception) else repr(value)

    def _at(self, spot: str, *seen: Any) -> Any:
        """Log the spot, its arguments, and which contexts are active. Then do what the plan says."""
        has = self.web.has_request_context(), self.web.has_app_context()
        self.log.append(f"{spot} {[self._show(value) for value in seen]} {has}")
        match self.plan.get(spot):
            case "raise":
                raise Oops(spot)
            case "key error":
                raise KeyError(spot)
            case "abort":
                self.web.abort(403)
            case "late" if has[0]:
                self.web.after_this_request(lambda response: self._at("app:this", response) or response)
            case "answer":
                return f"answer of {spot}"
        return None

    def _add_hooks(self, name: str, owner: Any) -> None:
        @owner.url_value_preprocessor
        def preprocess(endpoint: Any, values: Any) -> None:
            self._at(f"{name}:preprocess", endpoint, values)
            if values:
                values["n"] = values.get("n", 0) + 1

        for number in (1, 2):
            owner.before_request(lambda number=number: self._at(f"{name}:before{number}"))
            owner.after_request(self._after(f"{name}:after{number}"))
            owner.teardown_request(lambda exc, number=number: self._at(f"{name}:teardown{number}", exc))

        @owner.route("/")
        @owner.route("/<int:n>")
        def view(n: int = 0) -> Any:
            return self._at(f"{name}:view", n) or f"view of {name}"

    def _after(self, spot: str) -> Any:
        def after(response: Any) -> Any:
            text = self._at(spot, response)
            return self.web.make_response(text) if text else response

        return after

    def _add_handlers(self, handlers: frozenset[str], inner: Any) -> None:
        owners = {"handler": self.app, "inner-handler": inner}
        kinds: dict[str, Any] = {
            "404": 404,
            "403": 403,
            "500": 500,
            "exc": Oops,
            "http": HTTPException,
            "any": Exception,
        }
        for spot in sorted(handlers):
            owner, kind = spot.split(":")
            owners[owner].register_error_handler(
                kinds[kind], lambda error, spot=spot: self._at(spot, error) or (f"handled by {spot}", 418)
            )

    def request(self, path: str, method: str) -> Any:
        """Send one request. Return the response, or the exception as text, and the log."""
        try:
            answer = wire.call(self.app.wsgi_app, wire.environ(method, path, {}, b"")).comparable()
            result: Any = (answer.status, answer.headers, answer.body)
        except Exception as e:
            result = f"{type(e).__name__}: {e}"
        happened, self.log[:] = list(self.log), []
        return result, happened


plans = st.dictionaries(st.sampled_from(SPOTS), st.sampled_from(ACTIONS), max_size=3)
handler_sets = st.frozensets(
    st.sampled_from(["handler:404", "handler:403", "handler:500", "handler:exc", "handler:http", "handler:any",
                     "inner-handler:exc", "inner-handler:403", "inner-handler:any", "inner-handler:500"]),
    max_size=3,
)  # fmt: skip
configs = st.fixed_dictionaries(
    {},
    optional={
        "TESTING": st.booleans(),
        "PROPAGATE_EXCEPTIONS": st.booleans(),
        "DEBUG": st.booleans(),
        "TRAP_HTTP_EXCEPTIONS": st.booleans(),
        "TRAP_BAD_REQUEST_ERRORS": st.booleans(),
    },
)
PATHS = ("/", "/7", "/outer/", "/outer/inner/", "/outer/inner/7", "/outer/inner/nope", "/outer/inner", "/nope")


@examples(300)
@given(plan=plans, handlers=handler_sets, config=configs, path=st.sampled_from(PATHS),
       method=st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS"]))  # fmt: skip
@example({}, frozenset(), {}, "/outer/inner/7", "GET")
@example({"inner:view": "raise"}, frozenset(), {}, "/outer/inner/", "GET")
@example({"inner:view": "raise"}, frozenset({"handler:500"}), {}, "/outer/inner/", "GET")
@example({"inner:view": "raise", "handler:500": "raise"}, frozenset({"handler:500"}), {}, "/outer/inner/", "GET")
@example({"outer:after1": "raise"}, frozenset(), {}, "/outer/inner/", "GET")
@example({"outer:teardown2": "raise"}, frozenset(), {}, "/outer/inner/", "GET")
@example({"app:context2": "raise"}, frozenset(), {}, "/", "GET")
@example({"app:before1": "answer", "app:after2": "answer"}, frozenset(), {}, "/outer/inner/", "GET")
@example({"inner:view": "late", "app:this": "raise"}, frozenset(), {}, "/outer/inner/", "GET")
@example({"inner:view": "abort"}, frozenset({"inner-handler:403", "handler:403"}), {}, "/outer/inner/", "GET")
def test_events_come_in_flasks_order(plan: dict[str, str], handlers: frozenset[str], config: dict[str, Any],
                                     path: str, method: str):  # fmt: skip
    core, twin = (Story(web, plan, handlers, config).request(path, method) for web in (CORE, FLASK))
    assert core == twin


def story(web: Any, path: str = "/outer/inner/", handlers: Any = (), **plan: str) -> tuple[Any, list[str]]:
    """Return the response and the log without contexts. In ``plan``, two underscores stand for the colon of a spot."""
    spots = {spot.replace("__", ":"): action for spot, action in plan.items()}
    result, log = Story(web, spots, frozenset(handlers), {}).request(path, "GET")
    return result, [line.split(" [")[0].strip() for line in log]


def test_a_request_passes_these_phases(web: Any):
    _, log = story(web)
    assert log == [
        "signal appcontext_pushed None", "signal request_started None",
        "app:preprocess", "outer:preprocess", "inner:preprocess",
        "app:before1", "app:before2", "outer:before1", "outer:before2", "inner:before1", "inner:before2",
        "inner:view",
        "inner:after2", "inner:after1", "outer:after2", "outer:after1", "app:after2", "app:after1",
        "signal request_finished 200 OK",
        "inner:teardown2", "inner:teardown1", "outer:teardown2", "outer:teardown1", "app:teardown2", "app:teardown1",
        "signal request_tearing_down None",
        "app:context2", "app:context1",
        "signal appcontext_tearing_down None", "signal appcontext_popped None",
    ]  # fmt: skip


def test_an_unhandled_error_is_signalled_before_the_after_functions(web: Any):
    result, log = story(web, inner__view="raise")
    assert result[0] == "500 INTERNAL SERVER ERROR"
    assert log.index("signal got_request_exception Oops") < log.index("inner:after2")
    assert "signal request_finished 500 INTERNAL SERVER ERROR" in log
    assert "signal request_tearing_down Oops" in log


def test_a_handled_error_is_not_signalled_and_teardown_sees_none(web: Any):
    result, log = story(web, handlers={"handler:exc"}, inner__view="raise")
    assert result[0].startswith("418")
    assert not any("got_request_exception" in line for line in log)
    assert "signal request_tearing_down None" in log


def test_an_after_function_that_raises_runs_twice(web: Any):
    _, log = story(web, outer__after1="raise")
    assert log.count("outer:after1") == 2
    assert "app:after2" not in log
    assert not any("request_finished" in line for line in log)


def test_a_teardown_that_raises_ends_the_request_teardown(web: Any):
    result, log = story(web, outer__teardown2="raise")
    assert result == "Oops: outer:teardown2"
    assert "outer:teardown1" not in log
    assert not any("request_tearing_down" in line for line in log)
    assert "signal appcontext_popped None" in log


def test_a_before_function_that_answers_skips_the_later_ones_and_the_view(web: Any):
    result, log = story(web, outer__before1="answer")
    assert result[2] == b"answer of outer:before1"
    assert "outer:before2" not in log
    assert "inner:view" not in log
    assert "inner:after2" in log


def test_no_function_is_called_outside_a_request(web: Any):
    app, called = web.app(), []
    app.before_request(lambda: called.append("before"))
    app.url_value_preprocessor(lambda endpoint, values: called.append("preprocessor"))
    app.after_request(lambda response: called.append("after"))
    app.teardown_request(lambda exc: called.append("teardown"))
    for phase in (app.preprocess_request, lambda: app.process_response(web.Response()), app.do_teardown_request):
        with pytest.raises(RuntimeError, match="Working outside of request context"):
            phase()
    assert called == []


def test_teardown_runs_before_the_body_is_sent(web: Any):
    app, log = web.app(), []

    def body() -> Any:
        log.append("body")
        yield "x"

    app.add_url_rule("/", "index", lambda: body())
    app.teardown_request(lambda exc: log.append("teardown"))
    assert wire.call(app, wire.environ("GET", "/", {}, b"")).body == b"x"
    assert log == ["teardown", "body"]


@pytest.mark.parametrize("base", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes_through_and_teardown_sees_it(web: Any, base: type[BaseException]):
    app, seen = web.app(), []

    @app.route("/")
    def index() -> Any:
        raise base

    app.teardown_request(lambda exc: seen.append(type(exc)))
    app.register_error_handler(500, lambda error: "no")
    with pytest.raises(base):
        wire.call(app, wire.environ("GET", "/", {}, b""))
    assert seen == [base]


def test_an_error_that_shall_be_ignored_is_none_to_teardown(web: Any):
    class Careless(web.App):
        def should_ignore_error(self, error: BaseException | None) -> bool:
            return isinstance(error, Oops)

    app, seen = Careless("tests", static_folder=None), []
    app.add_url_rule("/", "index", lambda: 1 / 0 if False else (_ for _ in ()).throw(Oops()))
    app.logger.disabled = True
    app.teardown_request(seen.append)
    assert wire.call(app, wire.environ("GET", "/", {}, b"")).code == 500
    assert seen == [None]


@pytest.mark.parametrize(
    "phase",
    ["full_dispatch_request", "preprocess_request", "dispatch_request", "finalize_request", "process_response",
     "do_teardown_request", "do_teardown_appcontext", "make_response", "handle_user_exception",
     "handle_http_exception", "ensure_sync", "create_url_adapter", "request_context", "app_context"],
)  # fmt: skip
def test_a_subclass_may_replace_any_phase(web: Any, phase: str):
    called: list[str] = []

    def replacement(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(phase)
        return getattr(super(Replacing, self), phase)(*args, **kwargs)

    Replacing = type("Replacing", (web.App,), {phase: replacement})
    app = Replacing("tests", static_folder=None)
    app.add_url_rule("/", "index", lambda: "ok")
    client = app.test_client()
    assert client.get("/").text == "ok"
    assert client.get("/nope").status_code == 404
    assert called


# The callable


def test_the_app_is_a_callable_that_middleware_goes_around(app: Any):
    app.add_url_rule("/", "index", lambda: "inner")
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start_response: [b"[", *inner(environ, start_response), b"]"]
    assert wire.call(app, wire.environ("GET", "/", {}, b"")).body == b"[inner]"


def test_every_kind_of_answer_keeps_pep_3333(web: Any):
    app = web.app()
    answers: dict[str, Any] = {
        "text": "é", "bytes": b"\xff", "json": {"a": 1}, "empty": "", "created": ("made", 201, {"X": "y"}),
        "redirect": web.redirect("/next"), "stream": None,
    }  # fmt: skip
    for name, answer in answers.items():
        app.add_url_rule(f"/{name}", name, lambda answer=answer: iter(["a", "b"]) if answer is None else answer)
    client = checked_client(app)
    for name in answers:
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            response = client.open(f"/{name}", method=method)
            assert response.status_code < 500
    assert client.get("/nope").status_code == 404


def test_set_up_is_over_with_the_first_request(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: "ok")
    app.test_client().get("/")
    for late in (
        lambda: app.add_url_rule("/late", "late", lambda: ""),
        lambda: app.before_request(lambda: None),
        lambda: app.errorhandler(404),
        lambda: app.register_blueprint(web.Blueprint("late", "tests")),
        lambda: app.teardown_appcontext(lambda exc: None),
    ):
        with pytest.raises(AssertionError, match="can no longer be called"):
            late()


def test_an_app_nobody_refers_to_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        app = App("tests")
        app.add_url_rule("/", "index", lambda: wsgi_core.jsonify(wsgi_core.request.path))
        assert app.test_client().get("/").json == "/"
        freed = weakref.ref(app)
        del app
        assert freed() is None
    finally:
        gc.enable()


def test_a_request_is_freed_at_once():
    app, kept = App("tests", static_folder=None), []

    class Request(wsgi_core.Request):
        pass

    app.request_class = Request

    @app.route("/", methods=["POST"])
    def index() -> Any:
        kept.append(weakref.ref(wsgi_core.request._get_current_object()))  # type: ignore[attr-defined]
        return {"got": wsgi_core.request.get_json()}

    gc.collect()
    gc.disable()
    try:
        environ = wire.environ("POST", "/", {"Content-Type": "application/json"}, b"[1]")
        assert wire.call(app, environ).body == b'{"got":[1]}\n'
        assert kept[0]() is None
    finally:
        gc.enable()


def test_requests_in_threads_do_not_see_each_other(web: Any):
    app = web.app()
    barrier = threading.Barrier(8, timeout=20)

    @app.route("/<name>")
    def index(name: str) -> str:
        web.g.name = name
        barrier.wait()
        return f"{web.g.name} {web.request.path}"

    results: dict[str, str] = {}

    def ask(name: str) -> None:
        results[name] = app.test_client().get(f"/{name}").text

    threads = [threading.Thread(target=ask, args=(f"n{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {f"n{number}": f"n{number} /n{number}" for number in range(8)}


# Async views


def test_async_functions_run_everywhere(web: Any):
    app, log = web.app(), []

    @app.before_request
    async def before() -> None:
        await asyncio.sleep(0)
        log.append("before")

    @app.after_request
    async def after(response: Any) -> Any:
        log.append("after")
        return response

    @app.teardown_request
    async def teardown(exc: Any) -> None:
        log.append("teardown")

    @app.errorhandler(Oops)
    async def handle(error: Oops) -> str:
        return "handled"

    @app.route("/")
    async def index() -> str:
        await asyncio.sleep(0)
        return str(web.request.path)

    @app.route("/raise")
    async def fail() -> str:
        raise Oops

    client = app.test_client()
    assert client.get("/").text == "/"
    assert client.get("/raise").text == "handled"
    assert log == ["before", "after", "teardown"] * 2


def test_an_unhandled_error_is_logged_with_path_and_method(web: Any, caplog: pytest.LogCaptureFixture):
    app = web.App(f"tests.logged.{web}", static_folder=None)
    app.add_url_rule("/x", "x", lambda: 1 / 0)
    with caplog.at_level(logging.ERROR):
        assert app.test_client().get("/x").status_code == 500
    assert "Exception on /x [GET]" in caplog.text
    assert "ZeroDivisionError" in caplog.text
