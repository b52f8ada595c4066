"""Every Python block and every console session of the documentation runs, or says why it is not run."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import json
import math
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from wsgiref import simple_server

import click
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.docs import course, questions
from tests.docs.blocks import PAGES, ROOT, Block, Command, blocks, commands
from tests.processes import Server
from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.shared.settings.sources import load_settings

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHOWN = [block for block in BLOCKS if block.language in ("{literalinclude}", "{include}")]
RUN = [block for block in BLOCKS if (block.is_session or block.language == "python") and not block.reason]
SESSIONS = [block for block in BLOCKS if block.is_session]
TESTED = {*course.STEPS, *questions.PROGRAMS}
STEP = re.compile(r"python step_\d_\w+\.py")
OF_THE_SERVICE, OF_THE_COURSE = "127.0.0.1:8080", "127.0.0.1:8000"


def over(found: list[Block]) -> Any:
    """Parametrize a test with blocks."""
    return pytest.mark.parametrize("block", found, ids=[block.name for block in found])


@pytest.fixture
def service(servers: dict[str, Server]) -> str:
    """Return the address of ``wsgi-core serve``, which the pages have on port 8080."""
    return "{}:{}".format(*servers["wsgi_core"].address)


class Handler(WSGIRequestHandler):
    """A copy of the handler class, because a threaded server sets HTTP/1.1 in the original for all later servers."""

    protocol_version = "HTTP/1.0"


def server_of(step: Path) -> Any:
    """Return the server of a program of the course, on a free port."""
    text, application = step.read_text(encoding="utf-8"), course.application(step)
    if "wsgiref" in text:
        return simple_server.make_server("127.0.0.1", 0, application)
    threaded = "run_simple" not in text or "threaded=True" in text
    return make_server("127.0.0.1", 0, application, threaded, request_handler=type("Own", (Handler,), {}))


@contextlib.contextmanager
def served_step(name: str) -> Iterator[str]:
    """Return the address of a program of the course, which the pages have on port 8000, on the program's own server."""
    server = server_of(course.FOLDER / name)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# What the pages show


def test_there_is_something_to_test():
    assert len(SHOWN) > 30
    assert len(RUN) > 15
    assert {"README.md", "CONTRIBUTING.md"} <= {block.file.name for block in SESSIONS}


def test_every_block_is_of_a_kind_that_is_known():
    strange = [b.name for b in BLOCKS if b.language == "" and not b.is_session and not b.reason]
    assert strange == []


@over(SHOWN)
def test_what_is_included_is_there_and_tested(block: Block):
    file = (block.file.parent / block.argument).resolve()
    assert file.is_file()
    if file.suffix == ".py":
        assert file in TESTED


# What is run


@pytest.mark.parametrize(
    "file", sorted({block.file for block in RUN}), ids=lambda file: file.relative_to(ROOT).as_posix()
)
def test_blocks_run(file: Path, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The blocks run from top to bottom in one folder. The Python blocks of a page are one program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    program: dict[str, Any] = {"__name__": "page"}
    for block in RUN:
        if block.file != file:
            continue
        if block.language == "python":
            check(run_python(block, program, service), block.output, block)
        else:
            run_session(block, service)


def run_session(block: Block, service: str) -> None:
    for command in commands(block):
        # This module starts the servers itself: in the course, one server for each request.
        if command.words == ["wsgi-core", "serve"] or STEP.fullmatch(command.line):
            continue
        check(run(command, block, service), command.output, block)


def run(command: Command, block: Block, service: str) -> str:
    """Run a command and return its output. It must succeed."""
    if command.words[0] == "wsgi-core":
        return run_wsgi_core(command.words[1:])
    if command.line.startswith("python docs/questions/"):
        return questions.printed(ROOT / command.words[1], "flask")
    assert command.words[0] == "curl", f"{block.name}: {command.line}: must be marked: not run"
    if OF_THE_COURSE not in command.line:
        return run_curl(command, OF_THE_SERVICE, service)
    with served_step(block.step) as address:
        return run_curl(command, OF_THE_COURSE, address)


def run_wsgi_core(args: list[str]) -> str:
    done = CliRunner().invoke(cli, args, catch_exceptions=False)
    # `learn check` may fail: an exercise that is not solved yet is not an error of the page.
    assert done.exit_code == 0 or args[:2] == ["learn", "check"], done.output
    return done.output


def run_curl(command: Command, written: str, address: str) -> str:
    if not shutil.which("curl"):
        pytest.skip("there is no curl here")
    fail = [] if command.output else ["--fail"]
    words = [word.replace(written, address) for word in command.words]
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *fail],
        capture_output=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, f"{command.line}: {done.stderr}"
    return done.stdout


def run_python(block: Block, program: dict[str, Any], service: str) -> str:
    """Run a block and return its output."""
    text = block.text.replace(OF_THE_SERVICE, service)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * block.line + text, str(block.file), "exec"), program)
    return out.getvalue()


def check(got: str, want: str | None, block: Block) -> None:
    """Compare an output. ``...`` matches anything, and the last digits of numbers in JSON may differ."""
    if want is None:
        return
    with contextlib.suppress(ValueError):
        assert alike(json.loads(got), json.loads(want)), f"{block.name} printed:\n{got}"
        return
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(f"\n{want}\n", f"\n{got}\n", options), f"{block.name} printed:\n{got}"


def alike(got: Any, want: Any) -> bool:
    """Return whether two outputs are equal, except for the last digits of numbers, which depend on the processor."""
    if isinstance(want, dict) and isinstance(got, dict):
        return got.keys() == want.keys() and all(alike(got[name], want[name]) for name in want)
    if isinstance(want, float) and isinstance(got, float):
        return math.isclose(got, want, rel_tol=1e-4)
    return bool(got == want)


# What can be checked of commands that are not run


@over(SESSIONS)
def test_commands_could_be_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The programs, modules, files, options and extras in a command exist."""
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\b(\w+)/results.json", block.text):  # files that earlier commands would have written
        Path(name).mkdir()
        Path(name, "results.json").touch()
    for command in commands(block):
        words = [word for word in command.words if not re.fullmatch(r"[A-Z_]+=.*", word)]
        for part in " ".join(f"'{word}'" if " " in word else word for word in words).split(" && "):
            check_exists(Command(part).words)


def check_exists(words: list[str]) -> None:
    if words[0] == "wsgi-core":
        parse(cli, words[1:])
    elif words[:3] == ["python", "-m", "pip"]:
        extras = re.findall(r"\[(.*?)\]", " ".join(words))
        assert {name for each in extras for name in each.split(",")} <= set(declared_extras())
    elif words[:2] == ["python", "-m"]:
        # Sphinx may be missing, because only the site needs it.
        assert importlib.util.find_spec(words[2]) or words[2] in declared_extras()["docs"], words
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file() or (course.FOLDER / words[1]).is_file(), words


def parse(command: click.Command, args: list[str], parent: click.Context | None = None) -> None:
    """Parse a command line. Raises click.UsageError if the command does not accept it."""
    with command.make_context(command.name, list(args), parent) as context:
        # Called protected_args before click 8.2.
        protected = vars(context).get("_protected_args") or vars(context).get("protected_args", [])
        rest = [*protected, *context.args]
        if isinstance(command, click.Group) and rest:
            name, found, args = command.resolve_command(context, rest)
            assert found is not None, name
            parse(found, args, context)


def declared_extras() -> dict[str, str]:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return dict(setup.items("options.extras_require"))


@over([block for block in BLOCKS if block.language in ("toml", "json") and not block.reason])
def test_files_that_are_shown_are_read(block: Block, tmp_path: Path):
    if block.language == "json":
        json.loads(block.text)
        return
    file = tmp_path / "wsgi-core.toml"
    file.write_text(block.text, encoding="utf-8")
    assert set(tomllib.loads(block.text)) == set(load_settings(config=file, environ={}).sources)
