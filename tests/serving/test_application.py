"""`--app` finds the application as ``flask --app`` does, or reports in one line why it does not."""

from __future__ import annotations

import http.client
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from tests.processes import Server, run
from wsgi_core.serving.application import EXIT_APPLICATION, StartError, load_application, load_wsgi_application
from wsgi_core.shared.settings import Settings

PLAIN = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"plain"]
"""
FACTORY = """
def create_app(greeting="made"):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [greeting.encode()]
    return app

def needs(word):
    return create_app(word)
"""
OBJECT = """
class Application:
    def __init__(self, text):
        self.text = text
    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [self.text]
app = Application(b"object")
other = Application(b"other")
number = 3
"""
FAILING = """def create_app():
    raise RuntimeError("no database\\n at db:5432")

def wrong_type():
    return len(5)
"""
ASGI = "async def app(scope, receive, send): ...\nclass B:\n    async def __call__(self, s, r, t): ...\nb = B()\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder of the command, with a few modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    texts = {
        "plain_app": PLAIN, "made_app": FACTORY, "object_app": OBJECT, "asgi_app": ASGI, "empty_app": "",
        "failing_app": FAILING, "bad_app": "1/0", "deep_app": "import no_such_module_at_all",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "package_app").mkdir()
    (tmp_path / "package_app" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "package_app" / "wsgi.py").write_text(PLAIN, encoding="utf-8")
    yield tmp_path
    for name in [*texts, "package_app", "package_app.wsgi"]:
        sys.modules.pop(name, None)


def text(app: Any) -> str:
    chunks, status, _ = run_wsgi_app(app, create_environ("/"))
    assert status == "200 OK"
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    ("import_path", "said"),
    [
        ("plain_app", "plain"),
        ("plain_app:application", "plain"),
        ("plain_app.py", "plain"),
        ("package_app.wsgi", "plain"),
        ("package_app/wsgi.py:application", "plain"),
        ("made_app", "made"),
        ("made_app:create_app", "made"),
        ("made_app:create_app()", "made"),
        ("made_app:create_app('x')", "x"),
        ("made_app:create_app(greeting='y')", "y"),
        ("made_app:needs('z')", "z"),
        ("object_app", "object"),
        ("object_app:other", "other"),
    ],
)
def test_an_application_is_found(folder: Path, import_path: str, said: str):
    assert text(load_wsgi_application(import_path)) == said


def test_a_file_is_found_by_its_full_path(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent)
    assert text(load_wsgi_application(str(folder / "object_app.py") + ":other")) == "other"


@pytest.mark.parametrize(
    ("import_path", "why"),
    [
        ("none_app", "no module 'none_app'"),
        ("package_app.none", "no module 'package_app.none'"),
        ("deep_app", "no_such_module_at_all"),
        ("bad_app", "raised ZeroDivisionError"),
        ("failing_app", "the factory raised RuntimeError: no database at db:5432"),
        ("failing_app:create_app()", "failing_app.py, line 2)"),
        ("failing_app:wrong_type()", "the factory raised TypeError"),
        ("empty_app", "has none of app, application, create_app, make_app"),
        ("plain_app:other", "has no 'other'"),
        ("object_app:number", "is a int, not a WSGI application"),
        ("made_app:create_app(1, 2, 3)", "could not be called with these arguments"),
        ("made_app:create_app(", "Failed to parse"),
        ("made_app:create_app(os.sep)", "as literal values"),
        ("asgi_app", "is an ASGI application"),
        ("asgi_app:b", "is an ASGI application"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder: Path, import_path: str, why: str):
    with pytest.raises(StartError, match=r"^--app ") as caught:
        load_wsgi_application(import_path)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code == EXIT_APPLICATION


@pytest.mark.parametrize("setting", [{"api_key": "sixteen characters"}, {"trusted_hosts": ("a.example.org",)}])
def test_a_protection_that_only_the_service_has_is_an_error(folder: Path, setting: Any):
    with pytest.raises(StartError, match=next(iter(setting))) as caught:
        load_application(Settings(app="plain_app", **setting))
    assert caught.value.code == 2


def test_without_it_the_service_is_loaded():
    assert load_application(Settings()).extensions["models"].models


def test_an_application_of_ones_own_needs_no_numpy_and_no_runtime(folder: Path):
    code = (
        "import sys\nfrom wsgi_core.serving.command import Settings, load_application\n"
        "load_application(Settings(app='plain_app'))\n"
        "print([name for name in ('numpy', 'onnxruntime', 'flask') if name in sys.modules])"
    )
    done = run("-c", code, cwd=folder)
    assert done.stdout.strip() == "[]", done.stderr


# Applications that are independent of this project

FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/items/<int:number>")
def item(number):
    return f"flask {number}"
"""
FALCON = """
import falcon

class Item:
    def on_get(self, request, response, number):
        response.text = f"falcon {number}"

class TellRoute:
    def process_resource(self, request, response, resource, params):
        request.env["wsgi_core.route"] = request.uri_template

def create_app():
    app = falcon.App(middleware=[TellRoute()])
    app.add_route("/items/{number:int}", Item())
    return app
"""
DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

class TellRoute:
    def __init__(self, get_response):
        self.get_response = get_response
    def __call__(self, request):
        return self.get_response(request)
    def process_view(self, request, view, args, kwargs):
        request.environ["wsgi_core.route"] = request.resolver_match.route

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[__name__ + ".TellRoute"])
urlpatterns = [path("items/<int:number>", lambda request, number: HttpResponse(f"django {number}"))]
application = get_wsgi_application()
"""


def get(server: Server, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("framework", "source", "import_path", "template"),
    [
        ("flask", FLASK, "flask_site", "/items/<int:number>"),
        ("falcon", FALCON, "falcon_site:create_app", "/items/{number:int}"),
        ("django", DJANGO, "django_site.py", "items/<int:number>"),
    ],
)
def test_an_application_of_each_framework_is_served(
    tmp_path: Path, framework: str, source: str, import_path: str, template: str
):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    (tmp_path / f"{framework}_site.py").write_text(source, encoding="utf-8")
    own = ("--health-path", "/up", "--metrics-path", "/internal/metrics")
    with Server(
        "-m", "wsgi_core", "serve", "--port", "0", "--app", import_path, "--threads=3", *own, cwd=tmp_path
    ) as server:
        assert get(server.ready(), "/items/3") == (200, f"{framework} 3")
        assert get(server, "/up") == (200, "ok")
        assert get(server, "/none")[0] == 404
        assert f'http_route="{template}"' in get(server, "/internal/metrics")[1]
        assert f"application {import_path}, 3 threads" in "".join(server.lines)
