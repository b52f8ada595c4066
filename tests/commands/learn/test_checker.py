"""What no program of a learner's can do to the check: stop it, hang it, or be taken for right against PEP 3333."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner import CliRunner
from wsgi_core.commands.learn import command
from wsgi_core.commands.learn.checker import check, check_here
from wsgi_core.commands.learn.command import learn_command, step_file, step_source
from wsgi_core.commands.learn.curl import curl_line
from wsgi_core.commands.learn.exercises import exercise_named
from wsgi_core.commands.learn.solutions import solved

BOTH = "def application(environ, start_response):\n    method = environ['REQUEST_METHOD']\n"
# Solves 0a and 0b but for what {} does.
RIGHT = """\
import json

def application(environ, start_response):
    if environ["REQUEST_METHOD"] != "POST":
        {refuse}
    body = environ["wsgi.input"].read({size})
    try:
        total = sum(json.loads(body))
    except ValueError:
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [b'{{"error": "not JSON"}}']
    answer = json.dumps({{"sum": total}}).encode()
    start_response({status}, [("Content-Type", "application/json"), ("Content-Length", {length})])
    {before}
    return {value}
"""
REFUSE = 'start_response("405 Method Not Allowed", [("Allow", "POST")])\n        return [b""]'


def program(**parts: str) -> str:
    known = {
        "refuse": REFUSE, "size": 'int(environ["CONTENT_LENGTH"])', "status": '"200 OK"', "before": "pass",
        "length": "str(len(answer))", "value": "[answer]",
    }  # fmt: skip
    return RIGHT.format(**known | parts)


def learn(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(learn_command, [*args])
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    assert learn("start", "0", "--dir", str(tmp_path))[0] == 0
    return step_file(tmp_path, 0)


def test_the_program_that_is_bent_below_is_right(file: Path) -> None:
    file.write_text(program(), encoding="utf-8")
    code, said = learn("check", "0", "--dir", str(file.parent))
    assert code == 0
    assert said.count("solved") == 2
    assert "wsgi-core learn start 1" in said


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"refuse": 'start_response("405 Method Not Allowed", [("Allow", "POST")])\n        return "nope"'},
            "405|nope|str",
        ),
        ({"refuse": 'start_response("405", [("Allow", "POST")])\n        return [b""]'}, "status"),
        ({"length": "len(answer)"}, "Header"),
        ({"size": ""}, "without a length"),
        ({"size": "-1"}, "without a length"),
        ({"size": "int(environ['CONTENT_LENGTH']) + 1"}, "for ever"),
        ({"before": 'start_response("200 OK", [("Content-Type", "text/plain")])'}, "called twice"),
        ({"value": "answer"}, "bytes|iterator|string"),
        ({"value": "None"}, "iterator"),
        ({"value": "[answer.decode()]"}, "bytestring"),
        ({"value": "[1]"}, "bytestring"),
        ({"status": "200"}, "Status|str"),
        ({"refuse": 'return [b"405"]'}, "start_response"),
        ({"before": "raise SystemExit(0)"}, "SystemExit"),
        ({"refuse": "import sys; sys.exit()"}, "SystemExit"),
    ],
)
def test_what_the_protocol_forbids_is_not_solved(parts: dict[str, str], said: str, file: Path) -> None:
    file.write_text(program(**parts), encoding="utf-8")
    verdicts = [check_here(file, exercise_named(name)) for name in ("0a", "0b")]
    assert not all(verdict.solved for verdict in verdicts)
    wrong = next(verdict for verdict in verdicts if not verdict.solved)
    assert any(word in wrong.message for word in said.split("|")), wrong.message
    assert wrong.asked.startswith("curl -i ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys\nsys.exit(0)\n", "SystemExit"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
        ("import os\nos._exit(0)\n", "Remove os._exit"),
        ("def application(e, s):\n    import os\n    os._exit(0)\n", "Remove os._exit"),
        ("def application(e, s):\n    import sys\n    sys.exit(0)\n", "SystemExit"),
        ("def application(e):\n    pass\n", "The server calls application(environ, start_response)"),
        ("application = 5\n", "no callable named 'application'"),
        ("def application(e, s):\n    def again(): again()\n    again()\n", "RecursionError"),
        ("def application(e, s:\n", "line 1"),
    ],
)
def test_a_program_that_ends_is_not_solved_and_not_silent(text: str, said: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    code, output = learn("check", "0", "--dir", str(file.parent))
    assert code == 1
    assert output.count("not yet") == 2
    assert said in output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("while True: pass\n", 'put that below: if __name__ == "__main__":'),
        ("import time\ntime.sleep(99)\n", "was not imported within 2 seconds"),
        ("def application(e, s):\n    while True: pass\n", "Look for a loop that never ends"),
        (
            "import itertools\ndef application(e, s):\n    s('200 OK', [('Content-Type', 'a/b')])\n"
            "    return itertools.repeat(b'x' * 10)\n",
            "Look for a loop that never ends",
        ),
        ("try:\n    while True: pass\nexcept BaseException:\n    while True: pass\n", "was not imported"),
    ],
)
def test_a_program_that_never_ends_is_ended(text: str, said: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    verdict = check(file, exercise_named("0a"), seconds=2)
    assert not verdict.solved
    assert said in verdict.message
    assert bool(verdict.asked) == ("loop" in said)


@pytest.mark.parametrize("name", ["step_0_protocol copy.py", "step_0_a.py", "step_0_protocol.py.mine", "json.py"])
def test_the_named_file_is_checked_and_no_other(name: str, file: Path) -> None:
    (file.parent / name).write_text("raise ValueError('this is another file')", encoding="utf-8")
    file.write_text(program(), encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wsgi_core", "learn", "check", "0"],
        cwd=file.parent, env=environ, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_failure_shows_the_request_with_its_body(file: Path) -> None:
    said = learn("check", "0", "--dir", str(file.parent))[1]
    assert f"The request: {curl_line('GET', '/sum')}" in said
    (command_line,) = (line.split(": ", 1)[1] for line in said.splitlines() if "--data-binary" in line)
    assert shlex.split(command_line)[-2:] == ["{", "http://127.0.0.1:8000/sum"]


def test_the_hint_comes_first_and_the_place_at_the_second_failure(file: Path) -> None:
    first, second, third = (learn("check", "0", "--dir", str(file.parent))[1] for _ in range(3))
    assert "Hint: " in first
    assert "MethodNotAllowed" not in first
    assert "MethodNotAllowed" in second
    assert "learn solution 0a" not in second
    assert "wsgi-core learn solution 0a" in third
    file.write_text(program(), encoding="utf-8")
    learn("check", "0", "--dir", str(file.parent))
    file.write_text("application = None", encoding="utf-8")
    assert "MethodNotAllowed" not in learn("check", "0", "--dir", str(file.parent))[1]


@pytest.mark.parametrize("text", ["", "[1]", "no JSON", '{"0a": "many"}'])
def test_a_spoilt_file_of_tries_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / ".wsgi-core-learn.json").write_text(text, encoding="utf-8")
    assert command.count_try(tmp_path, exercise_named("0a"), False) == 1


def test_hint_and_solution(file: Path) -> None:
    code, said = learn("hint", "0a")
    assert code == 0
    assert "REQUEST_METHOD" in said
    code, said = learn("solution", "0a")
    assert code == 0
    assert said.startswith("--- step_0_protocol.py\n+++ step_0_protocol.py, solved")
    assert '+    if environ["REQUEST_METHOD"] != "POST":' in said
    assert learn("hint", "0c")[0] == 2


def test_start_again_keeps_what_was_written(file: Path) -> None:
    file.write_text("mine", encoding="utf-8")
    assert "was there already" in learn("start", "0", "--dir", str(file.parent))[1]
    assert file.read_text(encoding="utf-8") == "mine"
    assert learn("start", "0", "--dir", str(file.parent), "--reset")[0] == 0
    assert file.read_bytes() == step_source(0).read_bytes()
    assert file.with_name("step_0_protocol.py.mine").read_text(encoding="utf-8") == "mine"


def test_start_where_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = learn("start", "0", "--dir", str(tmp_path / "file" / "folder"))
    assert code == 1
    assert "Choose another folder with --dir." in said


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_start_does_not_write_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    work = tmp_path / "work"
    work.mkdir()
    (work / "step_0_protocol.py").symlink_to(target)
    learn("start", "0", "--dir", str(work))
    assert not target.exists()


def test_run_runs_the_learners_program(file: Path) -> None:
    file.write_text("import sys\nsys.exit(7)", encoding="utf-8")
    assert learn("run", "0", "--dir", str(file.parent))[0] == 7


def test_a_room_is_checked_at_once(tmp_path: Path) -> None:
    for name in ("ada", "grace"):
        assert learn("start", "1", "--dir", str(tmp_path / name))[0] == 0
    (tmp_path / "no learner").mkdir()
    step = step_file(tmp_path / "grace", 0)
    text = step.read_text(encoding="utf-8")
    step.write_text(solved("0b", solved("0a", text)), encoding="utf-8")
    code, said = learn("check", "--all", "--dir", str(tmp_path))
    assert code == 1
    ada, grace, total = said.splitlines()
    assert ada.split() == ["ada", *["0a", "not", "yet", "0b", "not", "yet", "1a", "not", "yet", "1b", "not", "yet"]]
    assert grace.split() == ["grace", *["0a", "solved", "0b", "solved", "1a", "not", "yet", "1b", "not", "yet"]]
    assert total == "2 of 8 solved."
    assert learn("check", "--all", "--dir", str(tmp_path / "no learner"))[0] == 1
    assert learn("check")[0] == 2
