"""One request after another, on Flask and on the core: every event is the same, and it is the known one.

Each test builds one app on both frameworks from the same text, sends the same requests, compares the two
traces, and compares both with golden/<name>.txt. After an intended change, write the files anew, from Flask's
side, with the environment variable WSGI_CORE_WRITE_GOLDEN=1, and read the difference.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import flask
import pytest

import wsgi_core
from wsgi_core.trace import Event, Recording, build_environ, compare, recording

GOLDEN = Path(__file__).parent / "golden"
FRAMEWORKS = {"flask": SimpleNamespace(**vars(flask), App=flask.Flask), "wsgi_core": SimpleNamespace(**vars(wsgi_core))}

Build = Callable[[t.Any], t.Any]
Drive = Callable[[Recording], object]
Golden = Callable[..., list[str]]


def new_app(fw: t.Any, **config: t.Any) -> t.Any:
    """An app without anything."""
    app = fw.App(__name__, static_folder=None)
    app.config.update(SECRET_KEY="golden", **config)
    return app


def get(path: str = "/", **kwargs: t.Any) -> Drive:
    """Send one request, read the whole body."""
    return lambda recorded: recorded.send(build_environ(recorded.wsgi, path), **kwargs)


def record(build: Build, drive: Drive, fw: t.Any) -> list[Event]:
    with recording(build(fw), signals=True) as recorded:
        drive(recorded)
    return recorded.events


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares the two traces and the file of the test's name; returns the lines."""
    file = GOLDEN / f"{request.node.name.removeprefix('test_')}.txt"

    def check(build: Build, drive: Drive | None = None) -> list[str]:
        seen = {name: record(build, drive or get(), fw) for name, fw in FRAMEWORKS.items()}
        lines = [str(event) for event in seen["flask"]]
        if os.environ.get("WSGI_CORE_WRITE_GOLDEN") == "1":
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        assert lines == file.read_text(encoding="utf-8").splitlines()
        different = [row for row in compare(seen["flask"], seen["wsgi_core"]) if not row.equal]
        assert not different, "\n".join(f"{row.mark} {row.left or row.right}" for row in different)
        return lines

    return check


def add_hooks(app: t.Any) -> None:
    """One hook of each kind."""

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


def test_ok(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
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

    lines = golden(build, get("/items/7"))
    # Teardown runs when the response is made, before its body is sent.
    assert lines.index("app context popped") < lines.index("body chunk: 1 byte")


def test_not_found(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)
        return app

    lines = golden(build, get("/nowhere"))
    # The hooks run all the same: matching only notes the error, dispatching raises it.
    assert "before_request: before" in lines


def test_method_not_allowed(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        app.add_url_rule("/", "only_post", lambda: "", methods=["POST"])
        return app

    golden(build)


def test_automatic_options(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        app.add_url_rule("/", "index", lambda: "")
        return app

    golden(build, lambda recorded: recorded.send(build_environ(recorded.wsgi, "/", method="OPTIONS")))


def test_redirect_for_a_slash(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)
        app.add_url_rule("/folder/", "folder", lambda: "")
        return app

    golden(build, get("/folder"))


def test_before_request_answers(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
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

    lines = golden(build)
    assert not [line for line in lines if line.startswith(("view", "before_request: second"))]


def test_before_request_raises(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        app.before_request(lambda: fw.abort(403))
        add_hooks(app)
        app.add_url_rule("/", "index", lambda: "")
        return app

    lines = golden(build)
    assert "before_request: before" not in lines


def test_error_handled_by_code(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)
        app.add_url_rule("/", "index", lambda: fw.abort(418))

        @app.errorhandler(418)
        def teapot(error: Exception) -> tuple[str, int]:
            return "short and stout", 418

        return app

    lines = golden(build)
    assert "teardown_request: teardown (receives None)" in lines
    assert not [line for line in lines if "got_request_exception" in line]


def test_error_handled_by_class(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)

        @app.get("/")
        def index() -> t.NoReturn:
            raise KeyError("k")

        @app.errorhandler(LookupError)
        def lookup(error: LookupError) -> str:
            return "not there"

        return app

    golden(build)


def test_error_handled_by_the_blueprint(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
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

    golden(build)


def test_error_handler_raises(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)

        @app.get("/")
        def index() -> t.NoReturn:
            raise ValueError

        @app.errorhandler(ValueError)
        def handle(error: ValueError) -> t.NoReturn:
            raise KeyError

        return app

    golden(build)


def broken(fw: t.Any, **config: t.Any) -> t.Any:
    app = new_app(fw, **config)
    add_hooks(app)

    @app.get("/")
    def index() -> t.NoReturn:
        raise ZeroDivisionError

    return app


def test_unhandled_error(golden: Golden) -> None:
    lines = golden(broken)
    # The signal goes out before the after_request functions, and those run.
    order = ["signal sent: got_request_exception", "after_request: after", "signal sent: request_finished"]
    assert sorted(order, key=lines.index) == order
    assert "teardown_request: teardown (receives ZeroDivisionError)" in lines


def test_unhandled_error_propagates(golden: Golden) -> None:
    lines = golden(lambda fw: broken(fw, PROPAGATE_EXCEPTIONS=True))
    assert "after_request: after" not in lines
    assert lines[-1] == "caller saw raised: ZeroDivisionError"


def test_unhandled_error_with_a_handler_for_500(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = broken(fw)

        @app.errorhandler(500)
        def sorry(error: Exception) -> tuple[str, int]:
            return "sorry", 500

        return app

    golden(build)


def test_after_request_raises(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        app.add_url_rule("/", "index", lambda: "")
        add_hooks(app)

        @app.after_request
        def fails(response: t.Any) -> t.NoReturn:
            raise RuntimeError

        return app

    lines = golden(build)
    assert lines.count("after_request: fails (raises)") == 2
    assert "after_request: after" not in lines
    assert "signal sent: request_finished" not in lines


def test_teardown_raises(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        app.add_url_rule("/", "index", lambda: "")
        add_hooks(app)

        @app.teardown_request
        def fails(exc: BaseException | None) -> t.NoReturn:
            raise RuntimeError

        return app

    lines = golden(build)
    assert "signal sent: request_tearing_down" not in lines
    assert not [line for line in lines if line.startswith("teardown_request: teardown")]
    assert "teardown_appcontext: teardown_app (receives None)" in lines


def test_nested_blueprints(golden: Golden) -> None:
    def hooks_named(of: t.Any, name: str) -> None:
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

    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        outer, inner = fw.Blueprint("outer", __name__), fw.Blueprint("inner", __name__)
        for of, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
            hooks_named(of, f"{name}_1")
            hooks_named(of, f"{name}_2")
        inner.add_url_rule("/", "index", lambda: "")
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
        return app

    lines = golden(build)
    before = [line for line in lines if line.startswith("before_request")]
    assert [line.split()[1] for line in before] == [
        f"before_{name}_{i}" for name in ("app", "outer", "inner") for i in (1, 2)
    ]
    after = [line for line in lines if line.startswith("after_request")]
    assert [line.split()[1] for line in after] == [
        f"after_{name}_{i}" for name in ("inner", "outer", "app") for i in (2, 1)
    ]


def streaming(fw: t.Any, keep: Callable[[t.Any], t.Any]) -> t.Any:
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


def test_generator(golden: Golden) -> None:
    lines = golden(lambda fw: streaming(fw, iter))
    assert "body chunk: 10 bytes" in lines


def test_generator_as_a_view(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)

        @app.get("/")
        def index() -> t.Iterator[str]:
            yield "a"
            yield "b"

        return app

    golden(build)


def test_generator_raises(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)

        @app.get("/")
        def index() -> t.Iterator[str]:
            yield "a"
            raise ValueError

        return app

    lines = golden(build)
    # Nobody handles it: the status is sent and the contexts are gone.
    assert "caller saw raised: ValueError" in lines
    assert not [line for line in lines if line.startswith("error caught")]


def test_stream_with_context(golden: Golden) -> None:
    lines = golden(lambda fw: streaming(fw, fw.stream_with_context))
    assert lines.count("teardown_request: teardown (receives None)") == 2
    assert "body chunk: 5 bytes" in lines


def test_client_closes_early(golden: Golden) -> None:
    lines = golden(lambda fw: streaming(fw, iter), get(close_after=1))
    assert "body exhausted" not in lines
    assert "close callback: done" in lines


def test_client_closes_early_with_context(golden: Golden) -> None:
    lines = golden(lambda fw: streaming(fw, fw.stream_with_context), get(close_after=1))
    # The generator is closed inside close(), and its contexts with it.
    assert lines.index("close") < [i for i, line in enumerate(lines) if line.startswith("teardown_request")][1]


def test_async(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
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

    golden(build)


def visits(fw: t.Any) -> t.Any:
    app = new_app(fw)

    @app.get("/")
    def index() -> str:
        fw.session["visits"] = fw.session.get("visits", 0) + 1
        return str(fw.session["visits"])

    @app.get("/untouched")
    def untouched() -> str:
        return ""

    return app


def test_session_changed(golden: Golden) -> None:
    lines = golden(visits)
    assert "session saved (Set-Cookie, Vary)" in lines


def test_session_comes_back(golden: Golden) -> None:
    def drive(recorded: Recording) -> None:
        client = recorded.client()
        assert [client.get("/").text for _ in range(2)] == ["1", "2"]
        client.get("/untouched")

    lines = golden(visits, drive)
    assert len([line for line in lines if line.startswith("session saved")]) == 2


def test_session_interface_of_the_app(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = visits(fw)
        sessions: t.Any = flask.sessions if fw.App is flask.Flask else wsgi_core.sessions

        class Interface(sessions.SessionInterface):  # type: ignore[misc]
            def open_session(self, app: t.Any, request: t.Any) -> t.Any:
                return sessions.SecureCookieSession()

            def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
                pass

        app.session_interface = Interface()
        return app

    lines = golden(build, get("/untouched"))
    assert "session saved" in lines


def test_session_saved_the_app_s_own_way(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = visits(fw)
        sessions: t.Any = flask.sessions if fw.App is flask.Flask else wsgi_core.sessions

        class Interface(sessions.SecureCookieSessionInterface):  # type: ignore[misc]
            def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
                response.headers["X-Saved"] = "yes"
                super().save_session(app, session, response)

        app.session_interface = Interface()
        return app

    lines = golden(build, get("/untouched"))
    assert "session saved (X-Saved)" in lines


def test_session_cannot_be_opened(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = visits(fw)
        sessions: t.Any = flask.sessions if fw.App is flask.Flask else wsgi_core.sessions

        class Interface(sessions.SessionInterface):  # type: ignore[misc]
            def open_session(self, app: t.Any, request: t.Any) -> t.NoReturn:
                raise OSError

            def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
                assert session is None

        app.session_interface = Interface()
        return app

    lines = golden(build, get("/untouched"))
    # What was never opened is saved all the same, while the 500 is made.
    assert "session opened (raises)" in lines
    assert "session saved" in lines


def test_nested_app_context(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
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

    lines = golden(build)
    assert len([line for line in lines if line.startswith("teardown_appcontext")]) == 2
    assert lines.count("app context pushed (another app)") == 1


def test_request_inside_an_app_context(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)
        app.add_url_rule("/", "index", lambda: "")
        return app

    def drive(recorded: Recording) -> None:
        app: t.Any = recorded.wsgi
        with app.app_context():
            get()(recorded)

    lines = golden(build, drive)
    assert lines.index("close") < lines.index("app context popped")


def test_client_preserves_the_context(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)
        add_hooks(app)
        app.add_url_rule("/", "index", lambda: "")
        return app

    def drive(recorded: Recording) -> None:
        with recorded.client() as client:
            client.get("/")

    lines = golden(build, drive)
    # It is popped and pushed again: the teardown functions run twice.
    assert lines.count("request context pushed") == 2
    assert lines.count("teardown_request: teardown (receives None)") == 2


def test_template_and_flash(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)

        @app.get("/")
        def index() -> str:
            fw.flash("done")
            text: str = fw.render_template_string("{{ get_flashed_messages() }}")
            return text

        return app

    golden(build)


def test_view_called_by_a_view(golden: Golden) -> None:
    def build(fw: t.Any) -> t.Any:
        app = new_app(fw)

        @app.get("/inner")
        def inner() -> str:
            return ""

        @app.get("/")
        def index() -> str:
            return inner()

        return app

    lines = golden(build)
    # A view is one where the framework calls it.
    assert [line for line in lines if line.startswith("view")] == ["view: index"]
