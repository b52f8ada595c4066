"""`wsgi_core.typing` has Flask's names, and a type checker accepts each type for Flask's, and Flask's for it."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import flask.typing
import pytest

import wsgi_core.typing
from tests.processes import environment

NAMES = sorted(name for name in vars(flask.typing) if name[0].isupper())
# The type arguments of generic types.
ARGUMENTS = {"AfterRequestCallable": "[werkzeug.Response]"}

APPLICATION = """
from wsgi_core import App, Blueprint, Response
from wsgi_core.typing import ResponseReturnValue

app = App(__name__)
parts = Blueprint("parts", __name__)

@app.route("/text")
def text() -> str: return ""
@app.get("/pair")
def pair() -> tuple[str, int]: return "", 201
@parts.post("/triple")
async def triple() -> tuple[dict[str, int], int, list[tuple[str, str]]]: return {}, 201, []
@app.get("/any")
def any_of_them() -> ResponseReturnValue: return [1], {"X-A": "1"}
@app.before_request
async def before() -> str | None: return None
@app.after_request
def after(response: Response) -> Response: return response
@parts.after_app_request
async def after_app(response: Response) -> Response: return response
@app.teardown_request
def teardown(error: BaseException | None) -> None: ...
@app.teardown_appcontext
async def teardown_context(error: BaseException | None) -> None: ...
@parts.context_processor
def processor() -> dict[str, int]: return {}
@app.errorhandler(404)
def not_found(error: Exception) -> tuple[str, int]: return "", 404
app.add_url_rule("/late", view_func=text)
app.register_error_handler(KeyError, lambda error: ("", 400))
"""
WRONG = {
    "@app.before_request\ndef f(x: int) -> None: ...": "before_request",
    "@app.before_request\ndef f() -> int: return 1": "before_request",
    "@app.after_request\ndef f() -> Response: return Response()": "after_request",
    "@app.teardown_request\ndef f() -> None: ...": "teardown_request",
    "@parts.app_context_processor\ndef f() -> list[str]: return []": "app_context_processor",
    "@app.url_defaults\ndef f(endpoint: int, values: dict[str, int]) -> None: ...": "url_defaults",
    "def f() -> float: return 1.5\napp.add_url_rule('/', view_func=f)": "add_url_rule",
    "def f(error: Exception) -> float: return 1.5\napp.register_error_handler(404, f)": "register_error_handler",
}


def both_ways() -> str:
    """Return a program that passes each type of the core where Flask's type is expected, and the other way round."""
    lines = ["import flask.typing, werkzeug, wsgi_core.typing"]
    for name in (name for name in NAMES if name != "ResponseClass"):
        ours, theirs = (f"{module}.typing.{name}{ARGUMENTS.get(name, '')}" for module in ("wsgi_core", "flask"))
        lines.append(f"def to_{name}(x: {theirs}) -> {ours}: return x")
        lines.append(f"def from_{name}(x: {ours}) -> {theirs}: return x")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The errors that mypy finds in each program in strict mode."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("programs")
    wrong = {f"wrong{number}": f"{APPLICATION}\n{code}\n" for number, code in enumerate(WRONG)}
    programs = {"both_ways": both_ways(), "application": APPLICATION, **wrong}
    for name, code in programs.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", *(f"{name}.py" for name in programs)]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    found = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert done.returncode == 1, done.stdout + done.stderr
    return {name: [line for line in found if line.startswith(f"{name}.py:")] for name in programs}


def test_names_are_flask_s():
    imported = {"Headers", "Response", "WSGIApplication"}
    assert sorted({name for name in vars(wsgi_core.typing) if name[0].isupper()} - imported) == NAMES


def test_hints_can_be_read_while_the_program_runs():
    def view() -> wsgi_core.typing.ResponseReturnValue:
        return ""

    assert t.get_type_hints(view)["return"] is wsgi_core.typing.ResponseReturnValue
    assert "ForwardRef" not in repr(wsgi_core.typing.ResponseReturnValue)


def test_a_type_checker_takes_each_for_flask_s(errors: dict[str, list[str]]):
    assert errors["both_ways"] == []


def test_an_application_whose_types_fit_passes(errors: dict[str, list[str]]):
    assert errors["application"] == []


@pytest.mark.parametrize(("number", "name"), list(enumerate(WRONG.values())))
def test_a_function_whose_types_do_not_fit_is_found(errors: dict[str, list[str]], number: int, name: str):
    (error,) = errors[f"wrong{number}"]
    assert f'"{name}"' in error
