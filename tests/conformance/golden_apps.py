"""The apps of the golden traces. Each app is built on both frameworks by the same code, and gets the same requests.

A case, its function, its test (``test_<name>``) and its file (``golden/<name>.txt``) have the same name.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import flask

import wsgi_core
from wsgi_core.trace import Recording, Trace, build_environ, recording

FRAMEWORKS = {"flask": SimpleNamespace(**vars(flask), App=flask.Flask), "wsgi_core": SimpleNamespace(**vars(wsgi_core))}

Build = Callable[[t.Any], t.Any]
Drive = Callable[[Recording], object]


@dataclass(frozen=True)
class Case:
    """How to build the app, and what to send to it. ``lead`` says in one sentence what the trace shows."""

    build: Build
    drive: Drive
    lead: str


CASES: dict[str, Case] = {}


def get(path: str = "/", method: str = "GET", **kwargs: t.Any) -> Drive:
    """Return a function that sends one request and reads the whole body."""
    return lambda recorded: recorded.send(build_environ(recorded.wsgi, path, method=method), **kwargs)


def case(drive: Drive | None = None) -> Callable[[Build], Build]:
    """Register the decorated function as a case. The function builds the app, and its docstring is the lead."""

    def add(build: Build) -> Build:
        CASES[build.__name__.rstrip("_")] = Case(build, drive or get(), build.__doc__ or "")
        return build

    return add


def record(build: Build, drive: Drive, fw: t.Any, label: str = "", snapshots: bool = False) -> Trace:
    """Return the trace of a case on one framework, with a receiver for every signal."""
    with recording(build(fw), signals=True, snapshots=snapshots) as recorded:
        driven = drive(recorded)
    trace = driven if isinstance(driven, Trace) else Trace(label, recorded.events)
    trace.label = label
    return trace


def new_app(fw: t.Any, **config: t.Any) -> t.Any:
    """Return an app with a secret key, and without routes and hooks."""
    app = fw.App(__name__, static_folder=None)
    app.config.update(SECRET_KEY="golden", **config)
    return app


def add_hooks(app: t.Any) -> None:
    """Register one hook of each kind."""

    @app.before_request
    def before() -> None:
        pass

    @app.after_request
    def after(response: t.Any) -> t.Any:
        return response

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        pass

    @app.teardown_appcontext
    def teardown_app(exc: BaseException | None) -> None:
        pass


@case(get("/items/7"))
def ok(fw: t.Any) -> t.Any:
    """A request that goes well, with one hook of each kind."""
    app = new_app(fw)
    add_hooks(app)

    @app.url_value_preprocessor
    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        pass

    @app.get("/items/<int:number>")
    def item(number: int) -> str:
        @fw.after_this_request
        def late(response: t.Any) -> t.Any:
            return response

        return str(number)

    return app


@case(get("/nowhere"))
def not_found(fw: t.Any) -> t.Any:
    """No rule matches, but the hooks run."""
    app = new_app(fw)
    add_hooks(app)
    return app


@case()
def method_not_allowed(fw: t.Any) -> t.Any:
    """The rule takes POST, the request is a GET."""
    app = new_app(fw)
    app.add_url_rule("/", "only_post", lambda: "", methods=["POST"])
    return app


@case(get(method="OPTIONS"))
def automatic_options(fw: t.Any) -> t.Any:
    """The framework answers OPTIONS by itself."""
    app = new_app(fw)
    app.add_url_rule("/", "index", lambda: "")
    return app


@case(get("/folder"))
def redirect_for_a_slash(fw: t.Any) -> t.Any:
    """The rule ends in a slash, the path does not."""
    app = new_app(fw)
    add_hooks(app)
    app.add_url_rule("/folder/", "folder", lambda: "")
    return app


@case()
def before_request_answers(fw: t.Any) -> t.Any:
    """A before_request function returns a response: neither the next function nor the view runs."""
    app = new_app(fw)

    @app.before_request
    def first() -> str:
        return "early"

    @app.before_request
    def second() -> None:
        pass

    add_hooks(app)
    app.add_url_rule("/", "index", lambda: "")
    return app


@case()
def before_request_raises(fw: t.Any) -> t.Any:
    """A before_request function aborts with 403."""
    app = new_app(fw)
    app.before_request(lambda: fw.abort(403))
    add_hooks(app)
    app.add_url_rule("/", "index", lambda: "")
    return app


@case()
def error_handled_by_code(fw: t.Any) -> t.Any:
    """The view aborts with 418, which has a handler."""
    app = new_app(fw)
    add_hooks(app)
    app.add_url_rule("/", "index", lambda: fw.abort(418))

    @app.errorhandler(418)
    def teapot(error: Exception) -> tuple[str, int]:
        return "short and stout", 418

    return app


@case()
def error_handled_by_class(fw: t.Any) -> t.Any:
    """The view raises KeyError. A handler for its base class LookupError handles it."""
    app = new_app(fw)
    add_hooks(app)

    @app.get("/")
    def index() -> t.NoReturn:
        raise KeyError("k")

    @app.errorhandler(LookupError)
    def lookup(error: LookupError) -> str:
        return "not there"

    return app


@case()
def error_handled_by_the_blueprint(fw: t.Any) -> t.Any:
    """The blueprint and the app both have a handler: the blueprint's handler is called."""
    app, part = new_app(fw), fw.Blueprint("part", __name__)

    @part.get("/")
    def index() -> t.NoReturn:
        raise ValueError

    @part.errorhandler(ValueError)
    def of_the_part(error: ValueError) -> str:
        return "part"

    @app.errorhandler(ValueError)
    def of_the_app(error: ValueError) -> str:
        return "app"

    app.register_blueprint(part)
    return app


@case()
def error_handler_raises(fw: t.Any) -> t.Any:
    """The error handler itself raises an exception."""
    app = new_app(fw)
    add_hooks(app)

    @app.get("/")
    def index() -> t.NoReturn:
        raise ValueError

    @app.errorhandler(ValueError)
    def handle(error: ValueError) -> t.NoReturn:
        raise KeyError

    return app


def broken(fw: t.Any, **config: t.Any) -> t.Any:
    """Return an app whose view raises ZeroDivisionError."""
    app = new_app(fw, **config)
    add_hooks(app)

    @app.get("/")
    def index() -> t.NoReturn:
        raise ZeroDivisionError

    return app


@case()
def unhandled_error(fw: t.Any) -> t.Any:
    """The view raises an exception without a handler: the response is a 500."""
    return broken(fw)


@case()
def unhandled_error_propagates(fw: t.Any) -> t.Any:
    """With PROPAGATE_EXCEPTIONS, the exception reaches the server."""
    return broken(fw, PROPAGATE_EXCEPTIONS=True)


@case()
def unhandled_error_with_a_handler_for_500(fw: t.Any) -> t.Any:
    """A handler for 500 responds to an exception that has no other handler."""
    app = broken(fw)

    @app.errorhandler(500)
    def sorry(error: Exception) -> tuple[str, int]:
        return "sorry", 500

    return app


@case()
def after_request_raises(fw: t.Any) -> t.Any:
    """An after_request function raises an exception, and is called again for the 500 response."""
    app = new_app(fw)
    app.add_url_rule("/", "index", lambda: "")
    add_hooks(app)

    @app.after_request
    def fails(response: t.Any) -> t.NoReturn:
        raise RuntimeError

    return app


@case()
def teardown_raises(fw: t.Any) -> t.Any:
    """A teardown function raises an exception: the remaining teardown functions of the request do not run."""
    app = new_app(fw)
    app.add_url_rule("/", "index", lambda: "")
    add_hooks(app)

    @app.teardown_request
    def fails(exc: BaseException | None) -> t.NoReturn:
        raise RuntimeError

    return app


def hooks_named(of: t.Any, name: str) -> None:
    """Register hooks whose names end with ``name``, on an app or a blueprint."""

    def before() -> None: ...
    def after(response: t.Any) -> t.Any:
        return response

    def teardown(exc: BaseException | None) -> None: ...
    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None: ...

    for hook in (before, after, teardown, preprocess):
        hook.__name__ = f"{hook.__name__}_{name}"
    of.before_request(before)
    of.after_request(after)
    of.teardown_request(teardown)
    of.url_value_preprocessor(preprocess)


@case()
def nested_blueprints(fw: t.Any) -> t.Any:
    """A blueprint inside a blueprint, each with two hooks of each kind."""
    app = new_app(fw)
    outer, inner = fw.Blueprint("outer", __name__), fw.Blueprint("inner", __name__)
    for of, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        hooks_named(of, f"{name}_1")
        hooks_named(of, f"{name}_2")
    inner.add_url_rule("/", "index", lambda: "")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def streaming(fw: t.Any, keep: Callable[[t.Any], t.Any]) -> t.Any:
    """Return an app whose view returns a generator, wrapped with ``keep``, as the body."""
    app = new_app(fw)
    add_hooks(app)

    @app.get("/")
    def index() -> t.Any:
        def chunks() -> t.Iterator[str]:
            yield "one"
            yield "three" if fw.has_request_context() else "no context"

        response = fw.Response(keep(chunks()))

        def done() -> None:
            pass

        response.call_on_close(done)
        return response

    return app


@case()
def generator(fw: t.Any) -> t.Any:
    """The body is a generator, which runs after the contexts have been popped."""
    return streaming(fw, iter)


@case()
def generator_as_a_view(fw: t.Any) -> t.Any:
    """The view is a generator function: calling the view does not run its body yet."""
    app = new_app(fw)

    @app.get("/")
    def index() -> t.Iterator[str]:
        yield "a"
        yield "b"

    return app


@case()
def generator_raises(fw: t.Any) -> t.Any:
    """The body raises an exception after its first chunk, when status and headers have been sent."""
    app = new_app(fw)
    add_hooks(app)

    @app.get("/")
    def index() -> t.Iterator[str]:
        yield "a"
        raise ValueError

    return app


@case()
def stream_with_context(fw: t.Any) -> t.Any:
    """A generator that keeps the contexts: they are torn down twice."""
    return streaming(fw, fw.stream_with_context)


@case(get(close_after=1))
def client_closes_early(fw: t.Any) -> t.Any:
    """The client disconnects after the first chunk."""
    return streaming(fw, iter)


@case(get(close_after=1))
def client_closes_early_with_context(fw: t.Any) -> t.Any:
    """The client disconnects while the generator keeps the contexts."""
    return streaming(fw, fw.stream_with_context)


@case()
def async_(fw: t.Any) -> t.Any:
    """Hook, view, error handler and teardown are async functions."""
    app = new_app(fw)

    @app.before_request
    async def before() -> None:
        pass

    @app.get("/")
    async def index() -> t.NoReturn:
        raise ValueError

    @app.errorhandler(ValueError)
    async def handle(error: ValueError) -> str:
        return "handled"

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        pass

    return app


def visits(fw: t.Any) -> t.Any:
    """Return an app whose view counts its calls in the session."""
    app = new_app(fw)

    @app.get("/")
    def index() -> str:
        fw.session["visits"] = fw.session.get("visits", 0) + 1
        return str(fw.session["visits"])

    @app.get("/untouched")
    def untouched() -> str:
        return ""

    return app


@case()
def session_changed(fw: t.Any) -> t.Any:
    """The view writes to the session: a cookie is set."""
    return visits(fw)


def come_back(recorded: Recording) -> None:
    client = recorded.client()
    assert [client.get("/").text for _ in range(2)] == ["1", "2"]
    client.get("/untouched")


@case(come_back)
def session_comes_back(fw: t.Any) -> t.Any:
    """Three requests of one client: the first sets the session cookie, the second changes it, the third does not."""
    return visits(fw)


def sessions_of(fw: t.Any) -> t.Any:
    """Return the framework's module ``sessions``."""
    return flask.sessions if fw.App is flask.Flask else wsgi_core.sessions


@case(get("/untouched"))
def session_interface_of_the_app(fw: t.Any) -> t.Any:
    """The app has its own session interface."""
    app, sessions = visits(fw), sessions_of(fw)

    class Interface(sessions.SessionInterface):  # type: ignore[misc]
        def open_session(self, app: t.Any, request: t.Any) -> t.Any:
            return sessions.SecureCookieSession()

        def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
            pass

    app.session_interface = Interface()
    return app


@case(get("/untouched"))
def session_saved_the_app_s_own_way(fw: t.Any) -> t.Any:
    """The app overrides save_session, and sets a header in it."""
    app, sessions = visits(fw), sessions_of(fw)

    class Interface(sessions.SecureCookieSessionInterface):  # type: ignore[misc]
        def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
            response.headers["X-Saved"] = "yes"
            super().save_session(app, session, response)

    app.session_interface = Interface()
    return app


@case(get("/untouched"))
def session_cannot_be_opened(fw: t.Any) -> t.Any:
    """open_session raises an exception, which is handled like an exception of the view."""
    app, sessions = visits(fw), sessions_of(fw)

    class Interface(sessions.SessionInterface):  # type: ignore[misc]
        def open_session(self, app: t.Any, request: t.Any) -> t.NoReturn:
            raise OSError

        def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
            assert session is None

    app.session_interface = Interface()
    return app


@case()
def nested_app_context(fw: t.Any) -> t.Any:
    """The view pushes an app context of its own app, and then an app context of another app."""
    app = new_app(fw)
    add_hooks(app)

    @app.get("/")
    def index() -> str:
        with app.app_context():
            pass
        with new_app(fw).app_context():
            pass
        return ""

    return app


def plain(fw: t.Any) -> t.Any:
    """Return an app with one view and one hook of each kind."""
    app = new_app(fw)
    add_hooks(app)
    app.add_url_rule("/", "index", lambda: "")
    return app


def inside_an_app_context(recorded: Recording) -> None:
    app: t.Any = recorded.wsgi
    with app.app_context():
        get()(recorded)


@case(inside_an_app_context)
def request_inside_an_app_context(fw: t.Any) -> t.Any:
    """An app context is already pushed: the request uses it, and does not pop it."""
    return plain(fw)


def with_a_client(recorded: Recording) -> None:
    with recorded.client() as client:
        client.get("/")


@case(with_a_client)
def client_preserves_the_context(fw: t.Any) -> t.Any:
    """A test client in a with block keeps the context until the block ends."""
    return plain(fw)


@case()
def template_and_flash(fw: t.Any) -> t.Any:
    """A flashed message, shown by a template in the same request."""
    app = new_app(fw)

    @app.get("/")
    def index() -> str:
        fw.flash("done")
        text: str = fw.render_template_string("{{ get_flashed_messages() }}")
        return text

    return app


@case()
def view_called_by_a_view(fw: t.Any) -> t.Any:
    """A view calls another view function directly: the trace shows only the view that the framework calls."""
    app = new_app(fw)

    @app.get("/inner")
    def inner() -> str:
        return ""

    @app.get("/")
    def index() -> str:
        return inner()

    return app
