"""A learner's program cannot stop the check, make it hang, or pass it although the program violates PEP 3333."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.learn.learner import learn, program
from wsgi_core.commands.learn.checker import check, check_here
from wsgi_core.commands.learn.curl import curl_line
from wsgi_core.commands.learn.exercises import exercise_named


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
        ({"size": "int(environ['CONTENT_LENGTH']) + 1"}, "forever"),
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
    assert wrong.last_request.startswith("curl -i ")


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
    check_one = check if "_exit" in text else check_here
    verdict = check_one(file, exercise_named("0a"))
    assert not verdict.solved
    assert said in f"{verdict.message} line {verdict.line}"


@pytest.mark.parametrize("text", ["import sys\nsys.exit(0)\n", "import os\nos._exit(0)\n"])
def test_a_program_that_ends_does_not_end_the_command(text: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    code, output = learn("check", "0", "--dir", str(file.parent))
    assert code == 1
    assert output.count("not yet") == 2


def test_an_exception_of_the_check_is_a_reason_and_not_the_end_of_the_process(file: Path) -> None:
    """The check of exercise 4a reads ``application.url_map``, which a function does not have."""
    file.write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'application/json')])\n    return [b'{}']\n"
    )
    verdict = check(file, exercise_named("4a"))
    assert not verdict.solved
    assert "The check raised AttributeError: 'function' object has no attribute 'url_map'" in verdict.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("while True: pass\n", 'put that below: if __name__ == "__main__":'),
        ("import time\ntime.sleep(99)\n", "was not imported within 1 seconds"),
        ("def application(e, s):\n    while True: pass\n", "Look for an endless loop"),
        (
            "import itertools\ndef application(e, s):\n    s('200 OK', [('Content-Type', 'a/b')])\n"
            "    return itertools.repeat(b'x' * 10)\n",
            "Look for an endless loop",
        ),
        ("try:\n    while True: pass\nexcept BaseException:\n    while True: pass\n", "was not imported"),
    ],
)
def test_a_program_that_never_ends_is_ended(text: str, said: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    verdict = check(file, exercise_named("0a"), seconds=1)
    if "loop" in said and not verdict.last_request:  # on a busy machine, the import of the checker took the time
        verdict = check(file, exercise_named("0a"), seconds=20)
    assert not verdict.solved
    assert said in verdict.message
    assert bool(verdict.last_request) == ("loop" in said)


def test_the_named_file_is_checked_and_no_other(file: Path) -> None:
    for name in ("step_0_protocol copy.py", "step_0_a.py", "step_0_protocol.py.mine", "json.py"):
        (file.parent / name).write_text(f"raise ValueError('this is {name}')", encoding="utf-8")
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
