"""Each program of the course responds as its chapter promises, and as the chapters before it do."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.docs.course import FOLDER, STEPS, client, texts

ROW = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430, "contract_month_to_month": 1, "has_fiber": 1}
FILES = [f"step_{number}.{kind}" for number in range(len(STEPS)) for kind in ("exercises.md", "trace.txt")]


@dataclass(frozen=True)
class Promise:
    """The response to a request from chapter ``since`` on. If ``json`` is ``...``, the body is not checked."""

    name: str
    since: int
    method: str
    path: str
    status: int
    json: t.Any = ...
    options: dict[str, t.Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()


PROMISES = [
    Promise("sum", 0, "POST", "/sum", 200, {"sum": 6}, {"json": [1, 2, 3]}, ("Content-Length", "Content-Type")),
    Promise("nothing to add", 0, "POST", "/sum", 200, {"sum": 0}, {"json": []}),
    Promise("no JSON", 1, "POST", "/sum", 400, ..., {"data": "{", "content_type": "application/json"}),
    Promise("another type", 1, "POST", "/sum", 415, ..., {"data": "1", "content_type": "text/plain"}),
    Promise("unknown path", 3, "GET", "/nope", 404),
    Promise("wrong method", 3, "GET", "/sum", 405, ..., {}, ("Allow",)),
    Promise("a variable", 3, "GET", "/square/7", 200, {"square": 49}),
    Promise("a variable of another kind", 3, "GET", "/square/x", 404),
    Promise("head", 3, "HEAD", "/square/7", 200),
    Promise("a handled exception", 6, "POST", "/sum", 422, {"error": "These are no numbers"}, {"json": ["a"]}),
    Promise("a prediction", 8, "POST", "/predict", 200, ..., {"json": ROW}),
    Promise("a feature is missing", 8, "POST", "/predict", 422, ..., {"json": {}}),
]


def number_of(step: Path) -> int:
    return int(step.stem.split("_")[1])


def steps_since(number: int) -> t.Any:
    """Parametrize a test with the steps of chapter ``number`` and of all later chapters."""
    return pytest.mark.parametrize("step", STEPS[number:], ids=lambda file: file.stem)


def test_the_steps_are_ten_and_short():
    assert [number_of(step) for step in STEPS] == list(range(10))
    assert all(len(step.read_text(encoding="utf-8").splitlines()) < 130 for step in STEPS)


@pytest.mark.parametrize("chapter", sorted(FOLDER.glob("chapter_*.md")), ids=lambda file: file.stem)
def test_chapters_have_600_to_1500_words(chapter: Path):
    assert 600 <= len(chapter.read_text(encoding="utf-8").split()) <= 1500


@pytest.mark.parametrize(
    ("step", "promise"),
    [
        pytest.param(step, promise, id=f"{step.stem}-{promise.name}")
        for promise in PROMISES
        for step in STEPS[promise.since :]
    ],
)
def test_promises_are_kept(step: Path, promise: Promise):
    response = client(step).open(promise.path, method=promise.method, **promise.options)
    assert response.status_code == promise.status
    if promise.json is not ...:
        assert response.get_json() == promise.json
    assert all(name in response.headers for name in promise.headers)
    if promise.method == "HEAD":
        assert response.data == b""


@steps_since(4)
def test_requests_at_the_same_time_are_kept_apart(step: Path):
    app = client(step).application

    def ask(number: int) -> int:
        response = Client(app).post("/sum", json=[number, 1])
        return t.cast(int, response.get_json()["sum"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(100))) == [number + 1 for number in range(100)]


def test_hooks_see_every_answer():
    asked = client(STEPS[5])
    for path in ("/square/2", "/nope"):
        assert "X-Response-Time-ms" in asked.get(path).headers


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/square/2", ["after 200", "teardown None"]),
        ("/nope", ["after 404", "teardown None"]),
        ("/fails", ["after 500", "teardown ZeroDivisionError"]),
    ],
)
def test_after_and_teardown_are_as_chapter_6_says(path: str, seen: list[str]):
    app, heard = client(STEPS[6]).application, []
    app.route("/fails")(lambda: 1 // 0)
    app.after_request_funcs.append(lambda response: heard.append(f"after {response.status_code}") or response)
    app.teardown_request_funcs.append(lambda exc: heard.append(f"teardown {exc and type(exc).__name__}"))
    Client(app).get(path)
    assert heard == seen


def test_a_before_function_that_answers_skips_the_others_and_stamp_fails():
    app, called = client(STEPS[5]).application, []
    app.before_request_funcs.append(lambda: called.append("later"))
    app.before_request_funcs.insert(0, lambda: {"answer": 1})
    with pytest.raises(AttributeError, match="start"):
        Client(app).get("/square/2")
    assert called == []


def test_a_teardown_function_that_fails_skips_the_others_and_the_context_ends():
    app, called = client(STEPS[6]).application, []
    app.teardown_request_funcs[:] = [lambda exc: called.append("first"), lambda exc: 1 // 0]
    with pytest.raises(ZeroDivisionError):
        Client(app).get("/square/2")
    assert called == []
    with pytest.raises(RuntimeError, match="Working outside of request context"):
        app.__call__.__globals__["request"].path  # noqa: B018  the access is the check


def test_an_after_function_that_fails_twice_lets_the_exception_out_and_the_earlier_ones_never_run():
    app, heard = client(STEPS[6]).application, []

    def fails(response: Response) -> Response:
        heard.append("fails")
        raise KeyError

    app.after_request_funcs[:] = [lambda response: heard.append("earlier") or response, fails]
    app.teardown_request_funcs.append(lambda exc: heard.append(f"teardown {type(exc).__name__}"))
    with pytest.raises(KeyError):
        Client(app).get("/square/2")
    assert heard == ["fails", "fails", "teardown KeyError"]


def test_what_a_handler_raises_becomes_a_500():
    app, heard = client(STEPS[6]).application, []
    app.route("/fails")(lambda: 1 // 0)
    app.errorhandler(ZeroDivisionError)(lambda error: {}["none"])
    app.teardown_request_funcs.append(lambda exc: heard.append(type(exc)))
    assert Client(app).get("/fails").status_code == 500
    assert heard == [KeyError]


def test_the_body_comes_after_the_teardown():
    app, heard = client(STEPS[6]).application, []
    app.teardown_request_funcs.append(lambda exc: heard.append("teardown"))

    def parts() -> t.Iterator[str]:
        try:
            heard.append("part")
            yield "x"
        finally:
            heard.append("finally")

    def stream() -> Response:
        response = Response(parts())
        response.call_on_close(lambda: heard.append("closed"))
        return response

    app.route("/stream")(stream)
    Client(app).get("/stream").close()
    assert heard == ["teardown", "part", "finally", "closed"]


@steps_since(7)
def test_the_session_counts(step: Path):
    asked = client(step)
    asked.post("/sum", json=[1])
    asked.post("/sum", json=[1])
    assert asked.get("/sums").get_json() == {"sums": 2}
    assert "Set-Cookie" not in asked.get("/sums").headers
    asked.set_cookie("session", "forged")
    assert asked.get("/sums").get_json() == {"sums": 0}


def test_the_last_two_differ_in_their_import_lines_alone():
    core, flask = (step.read_text(encoding="utf-8").splitlines() for step in STEPS[8:])
    rest = [[line for line in text[1:] if "import" not in line and line] for text in (core, flask)]
    assert rest[0] == [line.replace("= Flask(", "= App(") for line in rest[1]]


@pytest.mark.parametrize("name", FILES)
def test_what_was_generated_is_current(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == texts()[name]
