"""What an app and a blueprint can register, and what they reject; their folders, static files and resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException, NotFound

from tests.conftest import checked_client

METHODS = ("get", "post", "put", "delete", "patch")


@pytest.mark.parametrize("owner", ["app", "blueprint"])
@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_its_decorator(web: Any, owner: str, method: str):
    app, blueprint = web.app(), web.Blueprint("bp", "tests")

    @getattr(app if owner == "app" else blueprint, method)("/")
    def view() -> str:
        return "here"

    app.register_blueprint(blueprint)
    for asked in METHODS:
        response = app.test_client().open("/", method=asked.upper())
        assert (response.status_code == 200) is (asked == method)


def test_a_method_decorator_takes_no_methods(app: Any):
    with pytest.raises(TypeError, match="route"):
        app.get("/", methods=["POST"])


def test_route_takes_an_endpoint_and_gives_the_function_back(app: Any):
    def view() -> str:
        return "here"

    assert app.route("/", endpoint="start")(view) is view
    assert app.view_functions["start"] is view


def test_an_endpoint_can_get_its_view_later(app: Any):
    app.add_url_rule("/", "later")

    @app.endpoint("later")
    def view() -> str:
        return "here"

    assert app.test_client().get("/").text == "here"


def test_a_rule_without_endpoint_needs_a_view(app: Any):
    with pytest.raises(AssertionError, match="expected view func"):
        app.add_url_rule("/")


def test_decorators_give_the_function_back(web: Any):
    for owner in (web.app(), web.Blueprint("bp", "tests")):
        for name in ("before_request", "after_request", "teardown_request", "context_processor", "url_defaults",
                     "url_value_preprocessor"):  # fmt: skip

            def function(*args: Any) -> None: ...

            assert getattr(owner, name)(function) is function


class NotHandled(HTTPException):
    """An HTTP exception without a code."""


@pytest.mark.parametrize("what", [404, 500, NotFound, Exception, KeyError, HTTPException, NotHandled])
def test_handlers_are_for_codes_and_exception_classes(app: Any, what: Any):
    def handler(error: Any) -> str:
        return "handled"

    assert app.errorhandler(what)(handler) is handler


@pytest.mark.parametrize("what", [999, 200, NotFound(), ValueError("x"), int, BaseException, KeyboardInterrupt])
def test_handlers_are_for_nothing_else(web: Any, what: Any):
    with pytest.raises((ValueError, TypeError)):
        web.app().register_error_handler(what, lambda error: "")


def test_a_blueprint_is_complete_when_it_is_registered(web: Any):
    blueprint = web.Blueprint("bp", "tests")
    web.app().register_blueprint(blueprint)
    with pytest.raises(AssertionError, match="can no longer be called on the blueprint 'bp'"):
        blueprint.before_request(lambda: None)


def test_a_table_of_hooks_may_be_replaced(web: Any):
    app = web.app()
    app.before_request_funcs = {None: [lambda: "early"]}
    app.add_url_rule("/", "index", lambda: "late")
    assert app.test_client().get("/").text == "early"


# Files and folders


def test_static_files_are_served(web: Any, tmp_path: Any):
    (tmp_path / "style.css").write_text("a {}", encoding="utf-8")
    app = web.App("tests", static_folder=tmp_path, static_url_path="/files")
    client = checked_client(app)
    with client.get("/files/style.css") as response:
        assert response.text == "a {}"
        assert response.mimetype == "text/css"
    for path in ("/files/none.css", "/files/../secret", "/files/%2e%2e/secret", "/files/"):
        assert client.get(path).status_code == 404


def test_a_static_host_goes_with_host_matching(web: Any):
    with pytest.raises(AssertionError, match="static_host"):
        web.App("tests", host_matching=True)
    web.App("tests", host_matching=True, static_host="a.example")


def test_resources_are_opened_for_reading_alone(web: Any, tmp_path: Any):
    (tmp_path / "a.txt").write_text("é", encoding="utf-8")
    app = web.App("tests", root_path=str(tmp_path), instance_path=str(tmp_path))
    with app.open_resource("a.txt") as file:
        assert file.read() == "é".encode()
    with app.open_resource("a.txt", "r") as file:
        assert file.read() == "é"
    with app.open_instance_resource("a.txt", "r") as file:
        assert file.read() == "é"
    with pytest.raises(ValueError, match="reading"):
        app.open_resource("a.txt", "w")


def test_folders_stand_below_the_root_path(web: Any, tmp_path: Path):
    app = web.App("tests", root_path=str(tmp_path), static_folder="s", template_folder="t")
    assert Path(app.static_folder) == tmp_path / "s"
    assert app.static_url_path == "/s"
    assert app.has_static_folder
    assert [Path(folder) for folder in app.jinja_loader.searchpath] == [tmp_path / "t"]
    assert web.App("tests", template_folder=None).jinja_loader is None
    assert not web.app().has_static_folder


def test_a_static_file_needs_a_folder(web: Any):
    app = web.app()
    with app.test_request_context(), pytest.raises(RuntimeError, match="static_folder"):
        app.send_static_file("a.css")


def test_files_may_be_cached_as_the_configuration_says(web: Any):
    app = web.app()
    with app.app_context():
        assert app.get_send_file_max_age("a") is None
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 60
        assert app.get_send_file_max_age("a") == 60
