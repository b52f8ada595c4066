"""The page's Python modules run a program with a request on both frameworks, with the same results as other tests."""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_golden_traces import GOLDEN
from tests.docs import questions
from tests.processes import run as in_a_process
from wsgi_core.commands.learn.solutions import solved

from .examples import groups

EXAMPLES = {item["name"]: item for group in groups() for item in group["items"]}
GOLDEN_EXAMPLES = [name for name in EXAMPLES if name.startswith("trace/")]
# Python in a browser has no threads, so the page has another program for this question.
BY_HAND = {"proxies_and_threads"}
HELLO = "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef hello():\n    {}\n"


def runner() -> Any:
    return importlib.import_module("runner")


def run(folder: Path, program: str, request: str = "/", **options: Any) -> dict[str, Any]:
    report: dict[str, Any] = runner().run(program, request, folder, **options)
    return report


def run_example(folder: Path, name: str) -> dict[str, Any]:
    item = EXAMPLES[name]
    return run(folder, item["program"], item["request"], signals=item.get("signals", False))


# Each program by itself is a usual test in tests/conformance/test_golden_traces.py.
@pytest.mark.parametrize(
    "name",
    [*GOLDEN_EXAMPLES[::4], *(pytest.param(n, marks=pytest.mark.long) for i, n in enumerate(GOLDEN_EXAMPLES) if i % 4)],
)
def test_a_golden_example_has_the_golden_events(name: str, tmp_path: Path) -> None:
    report = run_example(tmp_path, name)
    assert report["state"] == "done", report["failures"]
    assert report["equal"], report["verdict"]
    golden = (GOLDEN / f"{name.removeprefix('trace/')}.txt").read_text(encoding="utf-8").splitlines()
    for side in (0, 1):
        assert [row["sides"][side]["text"] for row in report["events"]] == golden


@pytest.mark.parametrize("name", [each.stem for each in questions.PROGRAMS if each.stem not in BY_HAND])
def test_a_question_prints_what_its_page_says(name: str, tmp_path: Path) -> None:
    report = run_example(tmp_path, name)
    printed = questions.FOLDER.joinpath(f"{name}.output.txt").read_text(encoding="utf-8")
    for side in report["sides"]:
        assert side["output"].startswith(printed)
    assert report["page"]


def test_the_question_that_needs_threads_has_two_contexts_instead(tmp_path: Path) -> None:
    report = run_example(tmp_path, "proxies_and_threads")
    assert report["sides"][0]["output"] == "one reads /one\ntwo reads /two\n"
    assert report["equal"]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("step_")])
def test_a_chapter_answers_and_shows_what_happens(name: str, tmp_path: Path) -> None:
    report = run_example(tmp_path, name)
    assert report["state"] == "done", report["failures"]
    assert report["sides"][-1]["answers"][0].endswith('{"sum": 6}') or '{"sum":6}' in report["sides"][-1]["answers"][0]
    assert report["calls"] or report["equal"]


def test_every_chapter_has_its_exercises() -> None:
    assert all(len(item["exercises"]) == 2 for name, item in EXAMPLES.items() if name.startswith("step_"))


@pytest.mark.parametrize("package", ["flask", "wsgi_core"])
def test_one_import_is_answered_by_both_frameworks(package: str, tmp_path: Path) -> None:
    program = f"import {package}\nprint({package}.json.dumps([1]))\n"
    hello = HELLO.format("return type(app).__mro__[-2].__module__")
    if package == "wsgi_core":
        hello = hello.replace("from flask import Flask", "from wsgi_core import App as Flask")
    report = run(tmp_path, program + hello)
    answers = [side["answers"][0].rpartition("\n")[2].partition(".")[0] for side in report["sides"]]
    assert answers == ["flask", "wsgi_core"]


def test_submodules_of_flask_are_answered_too(tmp_path: Path) -> None:
    program = "import flask.views\nfrom flask.sessions import SessionInterface\nfrom flask import json\n"
    program += "print(flask.views.View.__module__, SessionInterface.__module__)\n" + HELLO.format("return ''")
    flask, core = (side["output"] for side in run(tmp_path, program)["sides"])
    assert (flask, core) == ("flask.views flask.sessions\n", "wsgi_core.views wsgi_core.sessions\n")


@pytest.mark.parametrize(
    ("program", "message", "line"),
    [
        ("x = (", "SyntaxError: '(' was never closed", 1),
        ("import os\nos.nope", "AttributeError: module 'os' has no attribute 'nope'", 2),
        ("import sys\n\nsys.exit(3)", "SystemExit: 3", 3),
        ("a = 1", "The program has no application", None),
        ("def create_app():\n    return 1 / 0", "ZeroDivisionError: division by zero", 2),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'", 1),
    ],
)
def test_a_program_that_cannot_run_is_explained(program: str, message: str, line: int | None, tmp_path: Path) -> None:
    report = run(tmp_path, program)
    assert report["state"] == "error"
    (failure,) = report["failures"]
    assert failure["message"].startswith(message)
    assert failure["line"] == line


@pytest.mark.parametrize(("config", "status"), [("", "500"), ("app.config['PROPAGATE_EXCEPTIONS'] = True\n", "")])
def test_a_view_that_fails_has_its_line_and_its_trace(config: str, status: str, tmp_path: Path) -> None:
    report = run(tmp_path, HELLO.format("return 1 / 0") + config)
    assert report["state"] == "done"
    assert report["equal"]
    (failure,) = report["failures"]
    assert (failure["line"], failure["message"]) == (6, "ZeroDivisionError: division by zero")
    assert status in report["sides"][0]["answers"][0]


def test_what_one_program_did_to_the_logging_is_gone_for_the_next(tmp_path: Path) -> None:
    # In a separate process, as in the page, because other tests have loggers too.
    code = (
        "import json, pathlib, sys\n"
        "import tests.docs.playground.conftest\n"
        "from tests.docs.playground.test_runner import HELLO, run\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "run(folder, HELLO.format(\"return ''\") + 'app.logger.disabled = True\\n')\n"
        "print(json.dumps(run(folder, HELLO.format('return 1 / 0'))['failures'][0]['sides']), flush=True)\n"
    )
    done = in_a_process("-c", code, str(tmp_path))
    assert json.loads(done.stdout.splitlines()[-1]) == ["flask 3.1.3", f"wsgi_core {version('wsgi_core')}"], done.stderr


def test_a_program_that_serves_itself_is_asked_all_the_same(tmp_path: Path) -> None:
    program = HELLO.format("return 'hello'")
    for end in ("app.run()", "from werkzeug.serving import run_simple; run_simple('127.0.0.1', 8000, app)"):
        assert run(tmp_path, f"{program}\nif __name__ == '__main__':\n    {end}\n")["state"] == "done"


def test_printing_without_end_keeps_little(tmp_path: Path) -> None:
    report = run(tmp_path, "for _ in range(10_000):\n    print('x' * 100)\n" + HELLO.format("return ''"))
    assert len(report["sides"][0]["output"]) < 110_000
    assert report["sides"][0]["output"].count("more was printed") == 1


def test_requests_of_one_client_keep_its_cookies(tmp_path: Path) -> None:
    program = "from flask import session\n" + HELLO.format(
        "session['n'] = session.get('n', 0) + 1; return str(session['n'])"
    )
    report = run(tmp_path, program + "app.secret_key = 'x'\n", "GET /\n###\nGET /\n### the third\n/\n")
    assert [answer[-1] for answer in report["sides"][1]["answers"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The request is empty"),
        ("GET", "'GET' is not a request line"),
        ("GET x", "'x' is not a path"),
        ("GE T /", "is not a request line"),
        ("GET /\nno header", "'no header' is not a header"),
        ("GET /\n: x", "is not a header"),
    ],
)
def test_a_request_that_is_none_is_explained(text: str, said: str, tmp_path: Path) -> None:
    report = run(tmp_path, HELLO.format("return ''"), text)
    assert report["state"] == "error"
    assert said in report["failures"][0]["message"]


def test_method_headers_and_body_reach_the_program(tmp_path: Path) -> None:
    program = "from flask import request\n" + HELLO.format("return dict(request.headers) | {'got': request.get_json()}")
    request = "post / HTTP/1.1\r\nX-Test: a: b\r\n\r\n[1,\r\n 2]\r\n"
    report = run(tmp_path, program.replace("app.get('/')", "app.post('/')"), request)
    answer = report["sides"][0]["answers"][0]
    assert '"X-Test":"a: b"' in answer
    assert '"Content-Type":"application/json"' in answer
    assert '"got":[1,2]' in answer
    assert report["request"].startswith("curl -i -H 'X-Test: a: b' -H 'Content-Type: application/json' --data-binary")


@pytest.mark.parametrize("name", ["0a", "5b"])
def test_an_exercise_is_checked_as_the_command_does(name: str, tmp_path: Path) -> None:
    step = next(item for key, item in EXAMPLES.items() if key.startswith(f"step_{name[0]}"))
    first = runner().check_exercise(name, step["program"], 0, tmp_path)
    assert not first["solved"]
    assert any(line.startswith("The request: curl") for line in first["lines"])
    assert len(runner().check_exercise(name, step["program"], 1, tmp_path)["lines"]) == len(first["lines"]) + 1
    assert runner().check_exercise(name, solved(name, step["program"]), 2, tmp_path)["solved"]
    broken = runner().check_exercise(name, "x = (", 0, tmp_path)
    assert (broken["solved"], broken["line"]) == (False, 1)


CALLS = "def f(): g()\ndef g(): f()\nwhile True:\n    try:\n        f()\n    except RecursionError: pass"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12; the page has 3.14")
@pytest.mark.parametrize("program", ["while True:\n    pass", CALLS])
def test_a_loop_is_ended_where_it_stands(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = partial(importlib.import_module("time_limit").time_limit, seconds=0.5)
    monkeypatch.setattr(runner(), "time_limit", short)
    report = run(tmp_path, program)
    assert report["state"] == "error"
    assert report["failures"][0]["message"] == "The program did not end within 0.5 seconds."
    assert report["failures"][0]["line"]
