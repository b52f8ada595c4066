"""Do what a learner does: begin a chapter, write a program, and call `wsgi-core learn`."""

from __future__ import annotations

from pathlib import Path

from tests.runner import CliRunner
from wsgi_core.commands.learn.command import learn_command, step_file

# A solution of 0a and 0b. The tests replace the parts in braces.
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


def started(chapter: int, folder: Path) -> Path:
    """Copy the program of a chapter into the folder with `learn start`, and return its path."""
    code, said = learn("start", str(chapter), "--dir", str(folder))
    assert code == 0, said
    return step_file(folder, chapter)
