"""The handler of an exception is that of the nearest class, and a blueprint's handler precedes the app's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, InternalServerError, NotFound, UnprocessableEntity
from werkzeug.routing import RequestRedirect

from tests.conformance import wire
from tests.conftest import CORE, FLASK
from tests.examples import examples


class Base(Exception):
    """An exception of the app, with a subclass."""


class Special(Base):
    """A subclass of the app's exception."""


class Teapot(HTTPException):
    """An HTTP error that the app defines."""

    code = 418


class OwnForbidden(Forbidden):
    """A subclass of Werkzeug's exception for 403."""


class NoCode(HTTPException):
    """An HTTP error without a code."""


RAISED = {
    "base": Base, "special": Special, "teapot": Teapot, "own forbidden": OwnForbidden, "forbidden": Forbidden,
    "not found": NotFound, "500": InternalServerError, "no code": NoCode, "key": KeyError, "bad": BadRequest,
    "redirect": lambda: RequestRedirect("http://a.example/"), "422": UnprocessableEntity,
}  # fmt: skip
HANDLED = [
    403,
    404,
    418,
    500,
    Base,
    Special,
    Teapot,
    OwnForbidden,
    Forbidden,
    HTTPException,
    Exception,
    LookupError,
    400,
]
SCOPES = ("app", "outer", "inner")

tables = st.dictionaries(
    st.tuples(st.sampled_from(SCOPES), st.sampled_from(range(len(HANDLED)))),
    st.sampled_from(["answer", "raise", "reraise"]),
    max_size=5,
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "TRAP_HTTP_EXCEPTIONS": st.booleans(),
        "TRAP_BAD_REQUEST_ERRORS": st.sampled_from([None, True, False]),
        "DEBUG": st.booleans(),
        "PROPAGATE_EXCEPTIONS": st.sampled_from([None, True, False]),
    },
)


def handled(web: Any, table: dict[Any, str], config: dict[str, Any], raised: str, spot: str) -> Any:
    """Build an app with these handlers, and return its response to the exception."""
    app = web.app()
    app.config.update(config)
    outer, inner = web.Blueprint("outer", "tests"), web.Blueprint("inner", "tests")
    owners = dict(zip(SCOPES, (app, outer, inner), strict=True))

    def handler(name: str, action: str) -> Any:
        def handle(error: Any) -> Any:
            if action == "raise":
                raise Special(name)
            if action == "reraise":
                raise error
            original = getattr(error, "original_exception", None)
            return f"{name} {type(error).__name__} {type(original).__name__}", 299

        return handle

    for (scope, number), action in table.items():
        try:
            owners[scope].register_error_handler(HANDLED[number], handler(f"{scope} {HANDLED[number]}", action))
        except ValueError:
            continue

    def fail() -> Any:
        raise RAISED[raised]()

    (app if spot == "before" else inner).before_request(fail if spot != "view" else lambda: None)
    inner.add_url_rule("/", "index", fail if spot == "view" else lambda: "fine")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    try:
        answer = wire.call(app, wire.environ("GET", "/", {}, b""))
    except Exception as e:
        return f"{type(e).__name__} {e}"
    return answer.status, answer.headers, answer.body


@examples(400)
@given(table=tables, config=configs, raised=st.sampled_from(sorted(RAISED)),
       spot=st.sampled_from(["view", "view", "before", "inner"]))  # fmt: skip
def test_the_handler_is_the_one_flask_takes(table: dict[Any, str], config: dict[str, Any], raised: str, spot: str):
    assert handled(CORE, table, config, raised, spot) == handled(FLASK, table, config, raised, spot)


def test_a_code_goes_before_a_class_and_a_blueprint_before_the_app(web: Any):
    def by(*scopes: tuple[str, Any]) -> str:
        table = {(scope, HANDLED.index(what)): "answer" for scope, what in scopes}
        answer = handled(web, table, {}, "own forbidden", "view")
        text: str = answer[2].decode()
        return text

    assert by(("app", Forbidden), ("app", HTTPException)).startswith("app <class 'werkzeug.exceptions.Forbidden'>")
    assert by(("app", 403), ("inner", Exception)).startswith("app 403")
    assert by(("app", 403), ("outer", 403)).startswith("outer 403")
    assert by(("app", OwnForbidden), ("app", Forbidden)).startswith("app <class 'tests.test_errors.OwnForbidden'>")


def test_a_handler_for_500_gets_the_unhandled_error(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: {}["missing"])
    app.register_error_handler(500, lambda error: f"{type(error).__name__} of {error.original_exception!r}")
    assert app.test_client().get("/").text == "InternalServerError of KeyError('missing')"


def test_an_error_escapes_in_testing_and_debug_mode(web: Any):
    for key, value, escapes in (("TESTING", True, True), ("DEBUG", True, True), ("PROPAGATE_EXCEPTIONS", True, True),
                                ("TESTING", False, False)):  # fmt: skip
        app = web.app()
        app.config[key] = value
        app.add_url_rule("/", "index", lambda: 1 / 0)
        if escapes:
            with pytest.raises(ZeroDivisionError):
                app.test_client().get("/")
        else:
            assert app.test_client().get("/").status_code == 500


def test_a_missing_form_key_is_400_and_named_in_debug_mode(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: web.request.form["missing"])
    assert "missing" not in app.test_client().get("/").text
    app = web.app()
    app.debug = True
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    app.add_url_rule("/", "index", lambda: web.request.form["missing"])
    response = app.test_client().get("/")
    assert response.status_code == 400
    assert "missing" in response.text


def test_an_abort_with_a_response_is_no_error(web: Any):
    app = web.app()
    app.register_error_handler(Exception, lambda error: "handled")
    app.add_url_rule("/", "index", lambda: web.abort(web.Response("mine", 403)))
    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (403, "mine")


def test_an_error_while_the_500_is_finished_is_logged_and_the_500_sent(web: Any):
    app, calls = web.app(), []
    app.add_url_rule("/", "index", lambda: 1 / 0)

    @app.after_request
    def after(response: Any) -> Any:
        calls.append(response.status_code)
        raise ValueError

    assert app.test_client().get("/").status_code == 500
    assert calls == [500]
