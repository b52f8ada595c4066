"""The helper functions for views: redirect, abort, flash, stream, send files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import Aborter, HTTPException, NotFound

from tests.conformance import wire
from tests.conftest import CORE, FLASK, checked_client
from tests.examples import examples


@pytest.mark.parametrize("code", [400, 404, 418, 503])
def test_abort_raises_the_error_of_a_code(web: Any, code: int):
    with pytest.raises(HTTPException) as caught:
        web.abort(code, "because")
    assert (caught.value.code, caught.value.description) == (code, "because")


def test_abort_asks_the_apps_aborter(web: Any):
    class OwnNotFound(NotFound):
        code = 499

    def own() -> Aborter:
        return Aborter(extra={404: OwnNotFound})

    app = type("Own", (web.App,), {"aborter_class": staticmethod(own)})("tests")
    with app.app_context(), pytest.raises(OwnNotFound):
        web.abort(404)
    with pytest.raises(LookupError):
        web.abort(777)


def test_redirect_works_without_an_app(web: Any):
    response = web.redirect("/a", 301)
    assert (response.status_code, response.location) == (301, "/a")


# Flashes


def flash_app(web: Any) -> Any:
    app = web.app()
    app.secret_key = "k"

    @app.route("/flash")
    def flash() -> str:
        web.flash("one")
        web.flash("two", "error")
        return ""

    @app.route("/show")
    def show() -> Any:
        return [
            web.get_flashed_messages(), web.get_flashed_messages(with_categories=True),
            web.get_flashed_messages(category_filter=["error"]),
        ]  # fmt: skip

    return app


def test_flashed_messages_are_shown_once_and_all_through_one_request(web: Any):
    client = flash_app(web).test_client()
    client.get("/flash")
    assert client.get("/show").json == [["one", "two"], [["message", "one"], ["error", "two"]], ["two"]]
    assert client.get("/show").json == [[], [], []]


def test_a_flash_is_signalled(web: Any):
    app, seen = flash_app(web), []

    def listen(sender: Any, **extra: Any) -> None:
        seen.append((sender is app, extra["message"], extra["category"]))

    with web.message_flashed.connected_to(listen):
        app.test_client().get("/flash")
    assert seen == [(True, "one", "message"), (True, "two", "error")]


# Streams


def test_a_stream_keeps_the_context_and_teardown_runs_twice(web: Any):
    app, log = web.app(), []

    class Chunks:
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> str:
            if len(log) > 2:
                raise StopIteration
            log.append("chunk")
            return str(web.request.path)

        def close(self) -> None:
            log.append("close")

    app.teardown_request(lambda exc: log.append("teardown"))
    app.add_url_rule("/s", "s", lambda: web.Response(web.stream_with_context(Chunks())))
    answer = wire.call(app, wire.environ("GET", "/s", {}, b""))
    assert answer.body == b"/s/s"
    assert log == ["teardown", "chunk", "chunk", "close", "teardown"]


def test_a_generator_function_can_be_decorated(web: Any):
    app = web.app()

    @app.route("/<name>")
    def index(name: str) -> Any:
        @web.stream_with_context
        def generate(text: str) -> Any:
            yield text
            yield web.request.path

        return generate(name)

    assert checked_client(app).get("/x").text == "x/x"


def test_a_stream_closed_early_closes_the_generator(web: Any):
    app, log = web.app(), []

    def generate() -> Any:
        try:
            while True:
                yield "x"
        finally:
            log.append(web.request.path)

    app.add_url_rule("/s", "s", lambda: web.stream_with_context(generate()))
    iterable = app(wire.environ("GET", "/s", {}, b""), lambda *args: lambda data: None)
    assert next(iter(iterable)) == b"x"
    iterable.close()
    assert log == ["/s"]


def test_a_stream_needs_a_request(web: Any):
    with pytest.raises(RuntimeError, match="stream_with_context"):
        web.stream_with_context(iter("a"))


# Files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files")
    (path / "a.txt").write_text("hello", encoding="utf-8")
    (path / "é b.html").write_text("<p>", encoding="utf-8")
    (path / "sub").mkdir()
    (path / "sub" / "c.bin").write_bytes(b"\0" * 100)
    return path


file_options = st.fixed_dictionaries(
    {},
    optional={
        "mimetype": st.sampled_from([None, "text/x"]),
        "as_attachment": st.booleans(),
        "download_name": st.sampled_from(["n.txt", "ü.txt"]),
        "conditional": st.booleans(),
        "etag": st.sampled_from([True, False, "tag"]),
        "last_modified": st.sampled_from([None, 0, 1e9]),
        "max_age": st.sampled_from([None, 0, 60]),
    },
)
file_headers = st.fixed_dictionaries(
    {},
    optional={
        "Range": st.sampled_from(["bytes=1-2", "bytes=99-", "x", "bytes=0-0,2-3"]),
        "If-None-Match": st.sampled_from(['"tag"', "*"]),
        "If-Modified-Since": st.just("Sat, 21 Nov 2099 11:20:12 GMT"),
    },
)


@examples(150)
@given(name=st.sampled_from(["a.txt", "é b.html", "sub/c.bin", "none.txt", "../x", "sub", "", "/root", "sub/../a.txt"]),
       options=file_options, headers=file_headers, directory=st.booleans(), age=st.sampled_from([None, 5]),
       method=st.sampled_from(["GET", "HEAD"]), sendfile=st.booleans())  # fmt: skip
def test_files_are_sent_as_flask_sends_them(folder: Path, name: str, options: dict[str, Any], headers: dict[str, str],
                                            directory: bool, age: int | None, method: str, sendfile: bool):  # fmt: skip
    def sent(web: Any) -> Any:
        app = web.App("tests", root_path=str(folder.parent), static_folder=None)
        app.config.update(SEND_FILE_MAX_AGE_DEFAULT=age, USE_X_SENDFILE=sendfile, PROPAGATE_EXCEPTIONS=True)

        @app.route("/")
        def index() -> Any:
            if directory:
                return web.send_from_directory(folder.name, name, **options)
            return web.send_file(folder / name, **options)

        try:
            return wire.call(app, wire.environ(method, "/", headers, b"")).comparable()
        except Exception as e:
            return type(e).__name__

    assert sent(CORE) == sent(FLASK)


def test_an_open_file_can_be_sent(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: web.send_file(io.BytesIO(b"data"), download_name="d.bin"))
    response = checked_client(app).get("/")
    assert response.data == b"data"
    assert response.mimetype == "application/octet-stream"


def test_a_file_is_closed_when_the_server_closes_the_body(web: Any, folder: Path):
    app, opened = web.app(), []

    @app.route("/")
    def index() -> Any:
        opened.append((folder / "a.txt").open("rb"))
        return web.send_file(opened[0], mimetype="text/plain")

    iterable = app(wire.environ("GET", "/", {}, b""), lambda *args: lambda data: None)
    iterable.close()
    assert opened[0].closed
