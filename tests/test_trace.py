"""The trace: what it sees, that it changes nothing, and how the command shows it."""

from __future__ import annotations

import re
import sys
import textwrap
import threading
import typing as t
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import click
import flask
import pytest
from click.testing import Result

import wsgi_core
from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.shared.installation import install_command
from wsgi_core.trace import Event, Trace, build_environ, compare, compare_answers, recording, trace
from wsgi_core.trace.hooks import function_name
from wsgi_core.trace.terminal import render, terminal_width
from wsgi_core.trace.times import set_median_times

FRAMEWORKS = [
    pytest.param(SimpleNamespace(**vars(flask), App=flask.Flask), id="flask"),
    pytest.param(SimpleNamespace(**vars(wsgi_core)), id="wsgi_core"),
]
every_framework = pytest.mark.parametrize("fw", FRAMEWORKS)


def new_app(fw: t.Any) -> t.Any:
    app = fw.App(__name__, static_folder=None)
    app.add_url_rule("/", "index", lambda: "hello")
    return app


def seen(events: list[Event], kind: str) -> list[str]:
    return [event.name for event in events if event.kind == kind]


# What it sees


@every_framework
def test_the_answer_is_in_the_trace(fw: t.Any) -> None:
    result = trace(new_app(fw), "/")
    assert (result.status, result.body, result.raised) == ("200 OK", b"hello", None)
    assert ("Content-Length", "5") in result.headers


@every_framework
def test_what_the_caller_saw_raised_is_kept(fw: t.Any) -> None:
    app = new_app(fw)
    app.testing = True
    app.view_functions["index"] = lambda: {}["k"]
    result = trace(app, "/")
    assert isinstance(result.raised, KeyError)
    assert result.events[-1].name == "KeyError"


@every_framework
def test_events_know_their_place_and_time(fw: t.Any) -> None:
    result = trace(new_app(fw), "/")
    view = next(event for event in result.events if event.kind == "view")
    line = next(
        i for i, text in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1) if "hello" in text
    )
    assert view.file.endswith("test_trace.py")
    assert view.line == line
    assert 0 < view.duration_us < result.duration_us
    pushed = next(event for event in result.events if event.kind == "app context pushed")
    assert re.fullmatch(r"(flask/ctx|wsgi_core/context)\.py:\d+", pushed.location)


@every_framework
def test_functions_of_one_def_are_told_apart(fw: t.Any) -> None:
    app = new_app(fw)

    def hook_named(name: str, *, closed_over: bool) -> t.Any:
        def in_closure() -> None:
            assert name

        def without() -> None:
            pass

        hook = in_closure if closed_over else without
        hook.__name__ = name
        return hook

    for name in ("one", "two", "three"):
        app.before_request(hook_named(f"{name}_closed", closed_over=True))
        app.before_request(hook_named(f"{name}_bare", closed_over=False))
    names = [f"{name}_{how}" for name in ("one", "two", "three") for how in ("closed", "bare")]
    assert seen(trace(app, "/").events, "before_request") == names


def hooks_of_one_def(app: t.Any) -> None:
    """after_request functions that only their names tell apart."""
    for name in ("one", "two"):

        def hook(response: t.Any) -> t.Any:
            return response

        hook.__name__ = name
        app.after_request(hook)


class WrongOrder(wsgi_core.App):
    def process_response(self, response: t.Any) -> t.Any:
        for function in self.after_request_funcs[None]:
            response = function(response)
        return response


class NoExceptionForTeardown(wsgi_core.App):
    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        super().do_teardown_request(None)


class NoBeforeRequest(wsgi_core.App):
    def preprocess_request(self) -> t.Any:
        return None


class NoFinalizing(wsgi_core.App):
    def finalize_request(self, rv: t.Any, from_error_handler: bool = False) -> t.Any:
        return self.make_response(rv)


class ErrorsUnlogged(wsgi_core.App):
    def log_exception(self, *args: t.Any) -> None:
        pass

    def handle_exception(self, e: Exception) -> t.Any:
        return self.finalize_request(("sorry", 500), from_error_handler=True)


def broken_app(fw: t.Any) -> t.Any:
    app = fw.App(__name__, static_folder=None)
    hooks_of_one_def(app)
    app.before_request(lambda: None)
    app.teardown_request(lambda exc: None)
    app.add_url_rule("/", "index", lambda: {}["k"])
    return app


@pytest.mark.parametrize(
    "wrong",
    [WrongOrder, NoExceptionForTeardown, NoBeforeRequest, NoFinalizing, ErrorsUnlogged],
    ids=lambda c: c.__name__,
)
def test_a_core_that_goes_wrong_shows(wrong: type) -> None:
    flasks = trace(broken_app(SimpleNamespace(App=flask.Flask)), "/").events
    assert all(row.equal for row in compare(flasks, trace(broken_app(wsgi_core), "/").events))
    assert not all(row.equal for row in compare(flasks, trace(broken_app(SimpleNamespace(App=wrong)), "/").events))


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
def test_one_view_of_two_endpoints_goes_by_the_endpoint(fw: t.Any) -> None:
    app = new_app(fw)
    app.add_url_rule("/second", "second", app.view_functions["index"])
    assert seen(trace(app, "/second").events, "view") == ["second"]


@every_framework
def test_methods_partials_and_callable_objects_are_hooks_too(fw: t.Any) -> None:
    class Object:
        def __init__(self, name: str) -> None:
            self.__name__ = name

        def method(self) -> None: ...
        def __call__(self) -> None: ...

    app = new_app(fw)
    first, second = Object("first"), Object("second")
    for hook in (first.method, first, second, partial(second.method)):
        app.before_request(hook)
    assert seen(trace(app, "/").events, "before_request") == ["method", "first", "second", "method"]


def test_unwrapping_ends_at_a_name() -> None:
    assert function_name(partial(print)) == "print"
    assert function_name(object()) == "object"


@every_framework
def test_class_based_views_go_by_their_endpoint(fw: t.Any) -> None:
    app = new_app(fw)
    views: t.Any = flask.views if fw.App is flask.Flask else wsgi_core.views

    class Page(views.View):  # type: ignore[misc]
        def dispatch_request(self) -> str:
            return "page"

    for name in ("a", "b"):
        app.add_url_rule(f"/{name}", view_func=Page.as_view(name))
    assert seen(trace(app, "/b").events, "view") == ["b"]


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


def test_only_the_app_of_a_framework_can_be_traced() -> None:
    with pytest.raises(TypeError, match="neither a Flask app nor"):
        trace(SimpleNamespace(), {})


# That it changes nothing


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
def test_traces_may_be_nested(fw: t.Any) -> None:
    outer, inner = new_app(fw), new_app(fw)
    with recording(outer) as recorded:
        result = trace(inner, "/")
        recorded.client().get("/")
    assert seen(result.events, "view") == seen(recorded.events, "view") == ["index"]


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


# Comparing


def test_comparing_pairs_equal_events_and_marks_the_others() -> None:
    left = [Event("view", "a"), Event("before_request", "x"), Event("close"), Event("view", "b", "raises")]
    right = [Event("view", "a"), Event("close"), Event("view", "b"), Event("body exhausted")]
    rows = compare(left, right)
    assert [row.mark for row in rows] == [" ", "<", " ", "!", ">"]
    assert [row.event.kind for row in rows] == ["view", "before_request", "close", "view", "body exhausted"]


def test_time_and_place_do_not_count() -> None:
    assert Event("view", "a", file="x.py", line=1, start_us=1.0) == Event("view", "a", file="y.py", note="n")


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Trace:
    return Trace("", [], status, [(name.replace("_", "-"), value) for name, value in headers.items()], body)


COOKIE = "session=eyJhIjoxfQ.{}; {}HttpOnly; Path=/"


@pytest.mark.parametrize(
    ("left", "right", "rows"),
    [
        (answer(b"a", Date="x", X_Request_ID="1"), answer(b"a", X_Request_ID="2"), []),
        (answer(X_A="1", B="2"), answer(b="2", x_a="1"), []),
        (answer(X_A="1"), answer(X_A="2"), ["! answer: X-A ('1') | answer: X-A ('2')"]),
        (answer(X_Request_ID="1"), answer(), ["< answer: X-Request-Id ('1') | None"]),
        (answer(), answer(status="201 CREATED"), ["! answer: status (200 OK) | answer: status (201 CREATED)"]),
        (
            answer(b"one"),
            answer(b"on\x1b"),
            ["! answer: body (3 bytes, at 2: b'e') | answer: body (3 bytes, at 2: b'\\x1b')"],
        ),
    ],
)
def test_answers_are_compared_beside_the_events(left: Trace, right: Trace, rows: list[str]) -> None:
    assert [f"{row.mark} {row.left} | {row.right}" for row in compare_answers(left, right)] == rows


@pytest.mark.parametrize(
    ("cookie", "equal"),
    [
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=Thu, 01 Jan 2026 00:00:02 GMT; "), True),
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=Fri, 02 Jan 2026 00:00:00 GMT; "), False),
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=never; "), False),
        (COOKIE.format("aaaaab." + "y" * 27, ""), False),
        (COOKIE.format("another.", "Expires=Thu, 01 Jan 2026 00:00:00 GMT; "), False),
    ],
)
def test_cookies_are_compared_without_their_signature(cookie: str, equal: bool) -> None:
    signed = COOKIE.format("aaaaaa." + "x" * 27, "Expires=Thu, 01 Jan 2026 00:00:00 GMT; ")
    assert (compare_answers(answer(Set_Cookie=signed), answer(Set_Cookie=cookie)) == []) is equal


def test_session_cookies_of_both_frameworks_are_equal() -> None:
    def answer_of(fw: t.Any, value: int) -> Trace:
        app = new_app(fw)
        app.secret_key = f"{fw.App}"

        def set_it() -> str:
            fw.session.permanent = True
            fw.session["a"] = value
            return ""

        app.view_functions["index"] = set_it
        return trace(app, "/")

    flasks = answer_of(SimpleNamespace(**vars(flask), App=flask.Flask), 1)
    assert compare_answers(flasks, answer_of(wsgi_core, 1)) == []
    assert [row.event.name for row in compare_answers(flasks, answer_of(wsgi_core, 2))] == ["Set-Cookie"]


def test_paths_arrive_as_a_server_passes_them_on() -> None:
    app = new_app(wsgi_core)
    assert build_environ(app, "/%ff%2F")["PATH_INFO"] == "/\xff/"
    assert build_environ(app, "/é")["PATH_INFO"] == "/é".encode().decode("latin1")
    assert build_environ(app, "/", environ_overrides={"PATH_INFO": "/a"})["PATH_INFO"] == "/a"
    assert build_environ(app, "https://example.com/a")["wsgi.url_scheme"] == "https"
    assert build_environ(app, "https://example.com/a")["HTTP_HOST"] == "example.com"
    for path in ("//x", "http://localhost//x"):
        assert build_environ(app, path=path)["PATH_INFO"] == build_environ(app, path)["PATH_INFO"] == "//x"
    assert build_environ(app, "//x?a=1")["QUERY_STRING"] == "a=1"
    assert build_environ(app, "//x")["HTTP_HOST"] == "localhost"
    assert trace(app, "//x").events[0].name == "GET //x"
    assert trace(app, "/é").events[0].name == "GET /é"
    assert trace(app, "/%ff").events[0].name == r"GET /\xff"


# The command


APPS = """
    import {framework} as fw

    def create_app(**config):
        app = (getattr(fw, "Flask", None) or fw.App)("apps", static_folder=None)

        @app.before_request
        def {hook}():
            pass

        @app.route("/<name>", methods=["GET", "POST"])
        def view(name):
            return f"<{{name}}> {{fw.request.headers.get('X-Test')}} {{fw.request.get_json(silent=True)}}"

        @app.route("/loud")
        def loud():
            fw.request.environ["wsgi.errors"].write("heard\\n")
            fw.request.environ["wsgi.errors"].flush()
            return ""

        return app

    app = create_app()

    def broken():
        raise ValueError("no such file")
"""


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Modules in the current folder: flask_side, core_side, other_side (whose hook has another name)."""
    modules = {
        "flask_side": ("flask", "check"),
        "core_side": ("wsgi_core", "check"),
        "other_side": ("wsgi_core", "test"),
    }
    for name, (framework, hook) in modules.items():
        text = textwrap.dedent(APPS).format(framework=framework, hook=hook)
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in modules:
        sys.modules.pop(name, None)


def run(*args: str, **kwargs: t.Any) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["trace", *args], catch_exceptions=False, **kwargs)


SIDES = ("--flask-app", "flask_side:create_app", "--app", "core_side:create_app")


@pytest.mark.usefixtures("apps")
def test_equal_traces_exit_with_0() -> None:
    result = run("post", "/x", "--json", "[1]", "--header", "X-Test: yes", *SIDES)
    assert result.exit_code == 0, result.output
    assert "request received: POST /x" in result.output
    assert "body chunk: 21 bytes" not in result.output
    assert re.search(r"before_request: check +flask_side\.py:\d+ +core_side\.py:\d+", result.output)
    assert re.search(r"^equal: \d+ events$", result.output, re.MULTILINE)
    assert "µs" not in result.output


@pytest.mark.usefixtures("apps")
def test_times_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    result = run("GET", "/x", *SIDES, "--times", "--html", str(tmp_path / "page.html"))
    assert re.search(r"before_request: check +\d+  flask_side\.py:\d+ +\d+  core_side\.py:\d+", result.output)
    assert re.search(r"equal: \d+ events; flask 3\.1\.3 \d+ µs, wsgi_core .* µs \(with the tracer", result.output)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('class="track"') > 30
    assert "The times include the tracer" in text


def test_times_are_medians_of_the_runs_with_the_same_events() -> None:
    def of(*times: float, name: str = "") -> Trace:
        return Trace("", [Event("view", name, start_us=each, duration_us=each) for each in times])

    seen = of(50, 50)
    set_median_times(seen, [of(1, 2), of(3, 4), of(100, 100), of(7), of(1, 1, name="other")])
    assert [(event.start_us, event.duration_us) for event in seen.events] == [(3, 3), (4, 4)]
    set_median_times(seen, [of(9)])
    assert seen.events[0].duration_us == 3


@pytest.mark.usefixtures("apps")
def test_the_file_that_was_written_is_said(tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    assert f"Wrote {page}: open it in a browser." in run("GET", "/x", *SIDES, "--html", str(page)).output


@pytest.mark.parametrize("width", [None, 80, 120])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int | None) -> None:
    row = '{"tenure_months": 12}'
    environ = {"COLUMNS": str(width) if width else None}
    result = CliRunner(env=environ).invoke(cli, ["trace", "POST", "/predict", "--json", row])
    table = result.output[result.output.index("  event") :].split("\n\n")[0].splitlines()
    assert 60 < max(map(len, table)) <= (width or 80)


def test_control_characters_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from wsgi_core import App\napp = App(__name__)\nname = '\\x1b[31mred\\x07'\n"
    text += "def hook(): pass\nhook.__name__ = name\napp.before_request(hook)\n"
    text += "app.add_url_rule('/', name, lambda: ('', 200, {'X-A': '1'}))\n"
    (tmp_path / "escaping.py").write_text(text, encoding="utf-8")
    (tmp_path / "failing.py").write_text("raise ValueError('\\x1b[2J')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    seen = run("GET", "/", "--app", "escaping.py").output
    assert "before_request: \\x1b[31mred\\x07" in seen
    seen += run("GET", "/", "--app", "failing.py").output
    assert "ValueError: \\x1b[2J" in seen
    assert seen.replace("\n", "").isprintable()


@pytest.mark.usefixtures("apps")
def test_json_and_headers_reach_the_app() -> None:
    result = run("POST", "/x", "--json", "[1]", "--header", "X-Test: yes", *SIDES)
    assert f"body chunk: {len('<x> yes [1]')} bytes" in result.output


@pytest.mark.usefixtures("apps")
def test_a_difference_exits_with_1_and_is_marked() -> None:
    result = run("GET", "/x", "--flask-app", "flask_side:create_app", "--app", "other_side:app")
    assert result.exit_code == 1
    (marked,) = (line for line in result.output.splitlines() if line.startswith("!"))
    assert "before_request: check | before_request: test" in marked
    assert "different: 1 of" in result.output


def test_a_different_answer_exits_with_1_and_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import {} as fw\napplication = (getattr(fw, 'Flask', None) or fw.App)('a')\n"
    text += "@application.get('/')\ndef view():\n    return '{}', {{'X-A': '{}'}}\n"
    (tmp_path / "answer_of_flask.py").write_text(text.format("flask", "xyz", 2), encoding="utf-8")
    (tmp_path / "answer_of_core.py").write_text(text.format("wsgi_core", "abc", 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    page = tmp_path / "page.html"
    result = run("GET", "/", "--flask-app", "answer_of_flask", "--app", "answer_of_core.py", "--html", str(page))
    assert result.exit_code == 1
    header, body = (line for line in result.output.splitlines() if line.startswith("!"))
    assert "answer: X-A ('2') | answer: X-A ('1')" in header
    assert "answer: body (3 bytes, at 0: b'xyz') | answer: body (3 bytes, at 0: b'abc')" in body
    assert "different: 2 of" in result.output
    assert "<b>answer</b> body" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("apps")
def test_the_name_may_be_left_out() -> None:
    result = run("GET", "/x", "--flask-app", "flask_side", "--app", "core_side")
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("apps")
def test_errors_of_a_factory_say_where(tmp_path: Path) -> None:
    line = (tmp_path / "core_side.py").read_text(encoding="utf-8").splitlines().index("def broken():") + 2
    result = run("GET", "/x", "--app", "core_side:broken")
    assert re.search(rf"ValueError: no such file \(.*core_side\.py:{line}\)$", result.output, re.MULTILINE)
    assert ".py:" not in run("GET", "/x", "--app", "core_side:missing").output


@pytest.mark.usefixtures("apps")
def test_what_the_app_logs_while_it_warms_up_is_not_shown() -> None:
    result = run("GET", "/loud", *SIDES)
    assert result.exit_code == 0, result.output
    assert result.output.count("heard") == 2


def test_the_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = (trace(new_app(fw), "/" + end * 100, label="a") for fw, end in ((wsgi_core, "x"), (wsgi_core, "y")))
    rows = compare(left.events, right.events)
    lines = click.unstyle(render(rows, left, right, 90)).split("\n")
    table = lines[: lines.index("")]
    assert 80 <= max(len(line) for line in table) <= 90
    assert re.search(r"context\.py:\d+$", table[3])
    assert f"! {left.events[0]} | {right.events[0]}" in lines  # what doesn't fit, below
    assert "…" not in render(rows, left, right)
    assert "…" in render(rows, left, right, 1)
    narrow = click.unstyle(render(rows, left, right, 80))
    assert "    request context pushed " in narrow  # an event has more to say than a place
    assert re.search(r" context\.py:\d+ .* context\.py:\d+$", narrow, re.MULTILINE)
    monkeypatch.setenv("COLUMNS", "77")
    assert terminal_width() == 77


@pytest.mark.usefixtures("apps")
def test_one_app_is_shown_alone() -> None:
    for option in ("--app", "--flask-app"):
        result = run("GET", "/x", option, "flask_side:create_app()", "--warm-up", "1")
        assert result.exit_code == 0
        assert re.search(r"^\d+ events$", result.output, re.MULTILINE)


@pytest.mark.usefixtures("apps")
def test_two_apps_of_one_framework_go_by_their_names() -> None:
    result = run("GET", "/x", "--flask-app", "other_side:app", "--app", "core_side:app", "--signals")
    assert result.exit_code == 1
    assert "other_side:app" in result.output.splitlines()[0]
    assert "signal sent: request_started" in result.output


@pytest.mark.usefixtures("apps")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["GET"], "Missing argument 'PATH'"),
        (["GET", "/", "--header", "colonless"], "Name: value"),
        (["GET", "/", "--header", "X: a\nb"], "has one line"),
        (["GET", "/", "--header", "X Y: a"], "Name: value"),
        (["", "/"], "'' is not the name of a method"),
        (["B D", "/"], "'B D' is not the name of a method"),
        (["GET", ""], "'' is no path"),
        (["GET", "x"], "'x' is no path"),
        (["GET", "/\n"], "is no path"),
        (["GET", "http://["], "Invalid IPv6 URL"),
        (["GET", "/", "--warm-up", "-1"], "not in the range"),
        (["GET", "/", "--app", "json"], "'json' has none of app, application, create_app, make_app"),
        (["GET", "/", "--app", "missing:app"], "No module named 'missing'"),
        (["GET", "/", "--app", "core_side:missing"], "has no attribute 'missing'"),
        (["GET", "/", "--app", "core_side:1+"], "Failed to parse"),
        (["GET", "/", "--app", "core_side:broken"], "ValueError: no such file"),
        (["GET", "/", "--app", "os:getcwd"], "neither a Flask app nor"),
        (["GET", "/x", "--app", "core_side:app", "--html", "missing/x.html"], "missing"),
    ],
)
def test_wrong_usage_exits_with_2(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("apps")
def test_without_flask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask", None)
    result = run("GET", "/x", *SIDES)
    assert result.exit_code == 2
    assert install_command("flask") in result.output


@pytest.mark.usefixtures("apps")
def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" not in run("GET", "/x", *SIDES).output
    assert "\x1b[" in run("GET", "/x", *SIDES, color=True).output


@pytest.mark.usefixtures("apps")
def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("GET", "/x", "--flask-app", "flask_side:app", "--app", "other_side:app", "--html", str(page)).exit_code
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""src=|href="[^#]|url\(|@import""", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "before_request</b> check" in text
    assert "before_request</b> test" not in text  # the difference stands in the row of both
    assert "µs" not in text
    assert 'class="track"' not in text
    assert "A before_request function runs before the view." in text


@pytest.mark.usefixtures("apps")
def test_the_page_escapes_what_the_client_sent(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("GET", "/<b>bold", "--app", "core_side:app", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;bold" in text
    assert "<b>bold" not in text


def test_the_service_and_its_twin_have_equal_traces() -> None:
    row = (
        '{"tenure_months": 12, "monthly_charges": 70.5, "total_charges": 846, "contract_month_to_month": 1,'
        ' "has_fiber": 1}'
    )
    for args in (["POST", "/predict", "--json", row], ["POST", "/predict", "--json", "{"], ["GET", "/nowhere"]):
        result = run(*args)
        assert result.exit_code == 0, result.output
        assert "flask_equiv/service/app.py" in result.output
