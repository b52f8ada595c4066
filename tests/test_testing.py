"""The test client: the requests that it sends, its cookies, and the contexts that it preserves in a with block."""

from __future__ import annotations

from typing import Any

import click
import flask.testing
import pytest
import werkzeug.test

import wsgi_core.testing
from tests.conftest import FRAMEWORKS


@pytest.fixture
def echo(web: Any) -> Any:
    """An app that returns the request that it got."""
    app = web.app()
    app.secret_key = "k"

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def index(path: str) -> Any:
        web.session["count"] = web.session.get("count", 0) + 1
        request = web.request
        return {
            "url": request.url, "agent": request.user_agent.string, "addr": request.remote_addr,
            "json": request.get_json(silent=True), "form": request.form, "count": web.session["count"],
        }  # fmt: skip

    return app


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        (("/a?b=1",), "http://localhost/a?b=1"),
        (("https://b.example/a",), "https://b.example/a"),
        (("/a", {"base_url": "https://c.example/"}), "https://c.example/a"),
        (("/a", {"subdomain": "x"}), "http://x.localhost/a"),
        (("/a", {"url_scheme": "https"}), "https://localhost/a"),
        (("/a", {"query_string": {"q": "1"}}), "http://localhost/a?q=1"),
    ],
)
def test_urls_are_completed(echo: Any, arguments: Any, url: str):
    path, *rest = arguments
    assert echo.test_client().get(path, **(rest[0] if rest else {})).json["url"] == url


def test_the_configuration_completes_them_too(echo: Any):
    echo.config.update(SERVER_NAME="d.example", PREFERRED_URL_SCHEME="https")
    assert echo.test_client().get("/a").json["url"] == "https://d.example/a"
    echo.config["APPLICATION_ROOT"] = "/root"
    assert echo.test_client().get("/a").json["url"] == "https://d.example/root/a"


def test_a_base_url_goes_alone(echo: Any):
    with pytest.raises(AssertionError, match="base_url"):
        echo.test_client().get("/", base_url="http://a/", subdomain="b")


def test_the_client_says_who_it_is_and_keeps_cookies(echo: Any):
    client = echo.test_client()
    answer = client.get("/").json
    assert answer["addr"] == "127.0.0.1"
    assert answer["agent"].startswith("Werkzeug/")
    assert [client.get("/").json["count"] for _ in range(2)] == [2, 3]
    without = echo.test_client(use_cookies=False)
    assert [without.get("/").json["count"] for _ in range(2)] == [1, 1]


def test_json_goes_by_the_apps_provider(echo: Any):
    assert echo.test_client().post("/", json={"b": [1]}).json["json"] == {"b": [1]}
    assert echo.test_client().post("/", data={"f": "1"}).json["form"] == {"f": "1"}


def test_the_client_takes_builders_environs_and_requests(echo: Any, web: Any):
    builder_class = wsgi_core.testing.EnvironBuilder if web is FRAMEWORKS[0] else flask.testing.EnvironBuilder
    client = echo.test_client()
    with_builder = builder_class(echo, "/a", method="POST", json=[1])
    environ = with_builder.get_environ()
    for given in (with_builder, environ, werkzeug.test.EnvironBuilder("/a").get_request()):
        assert client.open(given).json["url"] == "http://localhost/a"
    with_builder.close()


def test_a_session_can_be_read_and_changed(echo: Any):
    client = echo.test_client()
    with client.session_transaction() as session:
        session["count"] = 41
    assert client.get("/").json["count"] == 42
    with client.session_transaction() as session:
        assert session["count"] == 42
        session.clear()
    assert client.get("/").json["count"] == 1


def test_a_session_transaction_needs_cookies_and_a_key(web: Any, echo: Any):
    with (
        pytest.raises(TypeError, match="Cookies are disabled"),
        echo.test_client(use_cookies=False).session_transaction(),
    ):
        pass
    with pytest.raises(RuntimeError, match="did not open a session"), web.app().test_client().session_transaction():
        pass


def test_in_a_with_block_the_contexts_of_the_last_request_stay(echo: Any, web: Any):
    """The contexts are pushed again after the request, so the teardown functions run again when they are popped."""
    torn: list[str] = []
    echo.teardown_request(lambda exc: torn.append(web.request.path))
    with echo.test_client() as client:
        client.get("/a")
        assert web.request.path == "/a"
        assert web.session["count"] == 1
        assert torn == ["/a"]
        client.get("/b")
        assert web.request.path == "/b"
        assert torn == ["/a", "/a", "/b"]
    assert torn == ["/a", "/a", "/b", "/b"]
    assert not web.has_request_context()


def test_with_blocks_do_not_nest(echo: Any):
    with echo.test_client() as client, pytest.raises(RuntimeError, match="nest"):
        client.__enter__()


def test_redirects_are_followed(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: web.redirect("/next"))
    app.add_url_rule("/next", "next", lambda: web.request.path)
    response = app.test_client().get("/", follow_redirects=True)
    assert response.text == "/next"
    assert [entry.status_code for entry in response.history] == [302]


def test_a_client_class_of_ones_own_is_used(web: Any):
    app = web.app()
    base = type(app.test_client())

    class Own(base):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.token = kwargs.pop("token")
            super().__init__(*args, **kwargs)

    app.test_client_class = Own
    assert app.test_client(token="t").token == "t"


def test_a_request_context_can_be_made_up(web: Any):
    with web.app().test_request_context("/a?b=1", method="POST", json={"x": 1}, headers={"X-Y": "z"}):
        request = web.request
        assert (request.method, request.args["b"], request.json, request.headers["X-Y"]) == ("POST", "1", {"x": 1}, "z")


def test_commands_run_with_the_app(web: Any):
    app = web.app()

    @app.cli.command("hello")
    @click.argument("name")
    def hello(name: str) -> None:
        click.echo(f"{name} {web.current_app.name}")

    result = app.test_cli_runner().invoke(args=["hello", "Ann"])
    assert result.output == "Ann tests\n"
    assert app.test_cli_runner().invoke(hello, ["Bob"]).output == "Bob tests\n"
