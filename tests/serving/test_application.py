"""`--app` finds the application as ``flask --app`` does, and says in one line why it finds none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from tests.processes import run
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
ASGI = "async def app(scope, receive, send): ...\nclass B:\n    async def __call__(self, s, r, t): ...\nb = B()\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the command is called in, with a few modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    texts = {
        "plain_app": PLAIN, "made_app": FACTORY, "object_app": OBJECT, "asgi_app": ASGI, "empty_app": "",
        "bad_app": "1/0", "deep_app": "import no_such_module_at_all",
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
