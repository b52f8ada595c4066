"""An app before its first request: its name, folders and configuration, and the ways to run it."""

from __future__ import annotations

from typing import Any

import pytest


def test_the_name_and_the_folders(web: Any):
    app = web.App("tests.test_app")
    assert app.name == "tests.test_app"
    assert app.static_url_path == "/static"
    assert app.instance_path.endswith("instance")
    assert web.App("wsgi_core", static_folder="files/").static_url_path == "/files"
    with pytest.raises(ValueError, match="absolute"):
        web.App("tests", instance_path="relative")


def test_run_serves_what_the_arguments_and_server_name_say(web: Any, monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []
    monkeypatch.setattr("werkzeug.serving.run_simple", lambda *args, **options: calls.append((args, options)))
    app = web.app()
    app.run(load_dotenv=False)
    app.config["SERVER_NAME"] = "a.example:81"
    app.run(load_dotenv=False)
    app.run("b.example", 82, debug=True, load_dotenv=False)
    assert [args[:2] for args, _ in calls] == [("127.0.0.1", 5000), ("a.example", 81), ("b.example", 82)]
    for port in ("90", "", 0):
        app.run(port=port, load_dotenv=False)
    assert [args[1] for args, _ in calls[3:]] == [90, 81, 0]
    assert calls[2][1]["use_debugger"] is True
    assert app.debug is True


def test_run_does_nothing_below_the_command_line(web: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    monkeypatch.setattr("werkzeug.serving.run_simple", lambda *args, **options: pytest.fail("ran"))
    web.app().run()


def test_the_shell_gets_the_app_and_what_processors_add(app: Any, web: Any):
    app.shell_context_processor(lambda: {"answer": 42})
    names = app.make_shell_context()
    assert names["app"] is app
    assert names["answer"] == 42
    assert "g" in names


def test_debug_mode_comes_from_the_environment(web: Any, monkeypatch: pytest.MonkeyPatch):
    for value, debug in (("1", True), ("0", False), ("no", False), ("", False), ("TRUE", True)):
        monkeypatch.setenv("FLASK_DEBUG", value)
        assert web.app().debug is debug
