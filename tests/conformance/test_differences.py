"""Each intended difference in docs/differences.md, tested on both frameworks."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import io
import re
import subprocess
import sys
from pathlib import Path

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface as FlaskCookieInterface
from werkzeug.exceptions import RequestEntityTooLarge

import wsgi_core
from wsgi_core.sessions import SecureCookieSessionInterface

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
FRAMEWORKS = pytest.mark.parametrize(
    ("framework", "app_class", "interface_class"),
    [(wsgi_core, wsgi_core.App, SecureCookieSessionInterface), (flask, flask.Flask, FlaskCookieInterface)],
    ids=["wsgi_core", "flask"],
)


def make(app_class, tmp_path=None):
    return app_class("app", root_path=str(tmp_path or Path.cwd()), static_folder=None)


def test_every_difference_has_its_test_and_every_test_its_difference():
    named = set(re.findall(r"`(test_\w+)` \|", PAGE.read_text(encoding="utf-8")))
    assert named == {name for name in globals() if name.startswith("test_")} - {
        "test_every_difference_has_its_test_and_every_test_its_difference"
    }


def test_names():
    assert wsgi_core.App.__name__ == "App"
    assert not hasattr(wsgi_core, "Flask")
    shown = subprocess.run(
        [sys.executable, "-m", "wsgi_core", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert "wsgi_core" in shown
    assert "Flask" not in shown


def test_module_names():
    for name in ("ctx", "globals", "sansio", "json.provider", "json.tag"):
        assert importlib.util.find_spec(f"flask.{name}")
        with contextlib.suppress(ModuleNotFoundError):
            assert importlib.util.find_spec(f"wsgi_core.{name}") is None


@FRAMEWORKS
def test_request_reads_late(framework, app_class, interface_class):
    environ = make(app_class).test_request_context("/early?a=1").request.environ
    request = framework.Request(environ)
    environ |= {"PATH_INFO": "/late", "QUERY_STRING": "a=2"}
    late = framework is wsgi_core
    assert (request.path, request.query_string) == (("/late", b"a=2") if late else ("/early", b"a=1"))


@FRAMEWORKS
def test_request_reads_its_host_late(framework, app_class, interface_class):
    app = make(app_class)
    app.add_url_rule("/", "index", lambda: framework.request.host)
    app.add_url_rule("/url", "url", lambda: framework.url_for("index", _external=True))

    @app.before_request
    def trust():
        framework.request.trusted_hosts = ["a.example"]

    client = app.test_client()
    assert client.get("/").status_code == (400 if framework is wsgi_core else 200)
    assert client.get("/url").text == "http://localhost/"
    assert client.options("/").status_code == 200


@FRAMEWORKS
def test_stream_after_a_lie(framework, app_class, interface_class):
    environ = make(app_class).test_request_context("/", method="POST").request.environ
    environ |= {"CONTENT_LENGTH": "2", "wsgi.input": io.BytesIO(b"1234"), "wsgi.input_terminated": True}
    request = framework.Request(environ)
    request.max_content_length = 4
    assert request.get_data() == b"1234"
    if framework is wsgi_core:
        assert request.stream.read() == b""
    else:
        with pytest.raises(RequestEntityTooLarge):
            request.stream.read()


@FRAMEWORKS
def test_session_waits(framework, app_class, interface_class):
    opened = []

    class Watched(interface_class):
        def get_signing_serializer(self, app):
            opened.append("opened")
            return super().get_signing_serializer(app)

    class Own(Watched):
        def open_session(self, app, request):
            return super().open_session(app, request)

    app = make(app_class)
    app.secret_key = "k"
    app.session_interface = Watched()
    app.add_url_rule("/", "index", lambda: "no session")
    app.test_client().get("/")
    assert opened == ([] if framework is wsgi_core else ["opened"])
    app.session_interface = Own()
    opened.clear()
    app.test_client().get("/")
    assert opened == ["opened"]


@FRAMEWORKS
def test_waiting_session_fails_late(framework, app_class, interface_class):
    class Broken(interface_class):
        def get_signing_serializer(self, app):
            raise LookupError("no keys")

    app = make(app_class)
    app.session_interface = Broken()
    seen = []
    app.before_request(lambda: seen.append("before_request"))
    app.add_url_rule("/", "index", lambda: str(framework.session.get("n")))
    app.logger.disabled = True
    assert app.test_client().get("/").status_code == 500
    assert seen == (["before_request"] if framework is wsgi_core else [])


@FRAMEWORKS
def test_url_adapter_waits(framework, app_class, interface_class):
    made = []

    class Own(app_class):
        def create_url_adapter(self, request):
            made.append(request)
            return super().create_url_adapter(request)

    plain, own = make(app_class), make(Own)
    with plain.test_request_context("/"), own.test_request_context("/"):
        assert framework.request.host == "localhost"
    assert made
    for app in (plain, own):
        app.add_url_rule("/", "index", lambda: framework.url_for("index"))
        assert app.test_client().get("/").text == "/"
    ctx = plain.test_request_context("/")
    assert ("url_adapter" in vars(ctx)) == (framework is flask)
    assert ctx.url_adapter is not None
    made.clear()
    with own.app_context():
        assert len(made) == (framework is flask)


@FRAMEWORKS
def test_error_page_is_finished(framework, app_class, interface_class):
    app = make(app_class)
    streamed = []

    @app.after_request
    def look(response):
        streamed.append(response.is_streamed)
        return response

    assert "<title>404 Not Found</title>" in app.test_client().get("/").text
    assert streamed == [framework is flask]


@FRAMEWORKS
def test_unheard_signal(framework, app_class, interface_class, monkeypatch):
    sent = []
    signal = framework.request_started
    original = signal.send
    monkeypatch.setattr(signal, "receivers", {})  # without the receivers of other tests
    monkeypatch.setattr(signal, "send", lambda *args, **kw: sent.append(1) or original(*args, **kw))
    app = make(app_class)
    app.add_url_rule("/", "index", lambda: "text")
    client = app.test_client()
    client.get("/")
    assert len(sent) == (0 if framework is wsgi_core else 1)
    with signal.connected_to(lambda sender, **kw: None, app):
        client.get("/")
    assert len(sent) == (1 if framework is wsgi_core else 2)


def test_imports_wait():
    program = (
        "import sys, {0}; app = {0}.{1}('app', static_folder=None); app.register_blueprint({0}.Blueprint('b', 'b'));"
        "print('click' in sys.modules, 'jinja2' in sys.modules)"
    )

    def imported(module: str, app: str) -> str:
        command = [sys.executable, "-c", program.format(module, app)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert imported("wsgi_core", "App") == "False False"
    assert imported("flask", "Flask") == "True True"


def test_text_is_utf8(tmp_path):
    (tmp_path / "text.txt").write_text("é", encoding="utf-8")
    program = (
        "import sys, wsgi_core; app = wsgi_core.App('app', root_path=sys.argv[1], static_folder=None);"
        "print(ascii(app.open_resource('text.txt', 'r').read()))"
    )
    command = [sys.executable, "-X", "utf8=0", "-c", program, str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C", "PATH": ""}).stdout
    assert shown.strip() == "'\\xe9'"


@FRAMEWORKS
def test_silent_is_about_the_file(framework, app_class, interface_class, tmp_path):
    (tmp_path / "config.py").write_text("open('/nowhere/at/all')\n", encoding="utf-8")
    app = make(app_class, tmp_path)
    if framework is wsgi_core:
        with pytest.raises(FileNotFoundError):
            app.config.from_pyfile("config.py", silent=True)
    else:
        assert app.config.from_pyfile("config.py", silent=True) is False
    assert app.config.from_pyfile("missing.py", silent=True) is False

    def load(file):
        raise NotADirectoryError(errno.ENOTDIR, "not a folder")

    with contextlib.nullcontext() if framework is wsgi_core else pytest.raises(NotADirectoryError):
        assert app.config.from_file("config.py", load, silent=True) is False


@FRAMEWORKS
def test_messages_are_its_own(framework, app_class, interface_class):
    with pytest.raises(RuntimeError, match="Working outside of application context") as caught:
        _ = framework.current_app.name
    assert ("Nothing says which application" in str(caught.value)) == (framework is wsgi_core)
