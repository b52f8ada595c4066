"""Run a program twice with the same requests, on Flask and on wsgi_core, and report what happened.

The page of the playground calls `run_json` and `check_json` in its web worker. In the run on Flask, ``import flask``
and ``import wsgi_core`` both import Flask. In the run on wsgi_core, both import wsgi_core. If the program's application
uses neither, as in the first chapters, the report lists function calls instead of events.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import json
import linecache
import logging
import os
import sys
import traceback
import typing as t
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from unittest import mock

import flask_alias
from requests_text import Request, RequestError, as_curl, parse_requests
from time_limit import TimeLimit, time_limit
from werkzeug.test import EnvironBuilder, run_wsgi_app

from wsgi_core.commands.learn.calls import calls_of
from wsgi_core.commands.learn.checker import Verdict, check_here
from wsgi_core.commands.learn.command import advice, step_source, steps_folder
from wsgi_core.commands.learn.exercises import exercise_named
from wsgi_core.commands.learn.program import importing_from
from wsgi_core.trace import Event, Recording, Row, Trace, build_environ, compare, compare_answers, recording
from wsgi_core.trace.page import render_page
from wsgi_core.trace.terminal import verdict

FRAMEWORKS = ("flask", "wsgi_core")
FACTORIES = ("create_app", "make_app")
NAMES = ("app", "application", *FACTORIES)
FILE = "program.py"
_MOST_OUTPUT = 100_000


class Output(io.StringIO):
    """The output of a program.

    Text beyond `_MOST_OUTPUT` characters is dropped, so that a loop cannot fill the memory.
    """

    def write(self, text: str) -> int:
        """Keep the text up to the limit.

        The result is the length of the whole text, as `io.TextIOBase.write` requires.
        """
        left = _MOST_OUTPUT - self.tell()
        if left > 0:
            super().write(text[:left] + ("\n… more was printed" if len(text) > left else ""))
        return len(text)


@dataclass
class Failure:
    """An error, for the user.

    line: the last line of the program in the traceback, or None if the program has no line in it
    trace: the part of the traceback that is in the program
    """

    message: str
    line: int | None = None
    trace: str = ""


@dataclass
class Side:
    """The result of running the program on one framework."""

    label: str
    output: str = ""
    failure: Failure | None = None
    error: BaseException | None = None
    answers: list[str] = field(default_factory=list)
    trace: Trace | None = None
    calls: list[str] = field(default_factory=list)


def run(program: str, request: str, folder: Path, signals: bool = False, site: str = "") -> dict[str, t.Any]:
    """Run `program` on Flask and on wsgi_core. Return a report, which contains only JSON values.

    request: one or more requests in the format of .http files
    folder: the folder into which the program is written
    site: the URL of the project's site, to which the report's page links
    """
    try:
        requests = parse_requests(request)
    except RequestError as e:
        return {"state": "error", "failures": [{"where": "request", "message": str(e)}]}
    file = _write(folder, FILE, program)
    sides: list[Side] = []
    for framework in FRAMEWORKS:
        sides.append(_run_side(framework, file, requests, signals))
        if isinstance(sides[-1].error, TimeLimit):
            break
    return _report(sides, requests, site)


def _write(folder: Path, name: str, program: str) -> Path:
    """Write the program into `folder`, together with the programs of the course, which it may import."""
    folder.mkdir(exist_ok=True)
    for step in steps_folder().glob("step_*.py"):
        (folder / step.name).write_bytes(step.read_bytes())
    file = folder / name
    file.write_text(program, encoding="utf-8")
    linecache.checkcache(str(file))
    return file


# One side


def _run_side(framework: str, file: Path, requests: list[Request], signals: bool) -> Side:
    side, output = Side(framework), Output()
    with redirect_stdout(output), redirect_stderr(output), _logged_errors(side, file), _no_servers():
        try:
            with time_limit(str(file)):
                _fill(side, framework, file, requests, signals, output)
        except _Failed as e:
            side.failure = e.failure
        except BaseException as e:  # a program may raise any exception, also SystemExit
            side.failure, side.error = _failure(e, file), e
    side.output = output.getvalue()
    return side


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure


def _fill(side: Side, framework: str, file: Path, requests: list[Request], signals: bool, output: Output) -> None:
    namespace = load(file, framework)
    app = _app_of(namespace)
    if not hasattr(app, "wsgi_app"):
        _ask_plainly(side, app, file, requests)
        return
    side.label = f"{framework} {version(framework)}"
    drive = namespace.get("drive")
    with recording(app, signals=signals, snapshots=True) as recorded:
        traces = [drive(recorded)] if callable(drive) else list(_send_all(recorded, requests, output))
    last = next((one for one in reversed(traces) if isinstance(one, Trace)), Trace("", recorded.events))
    side.trace = Trace(side.label, recorded.events, last.status, last.headers, last.body, last.raised)
    side.answers = [_answer(one) for one in traces if isinstance(one, Trace)]
    if last.raised is not None:
        side.failure, side.error = _failure(last.raised, file), last.raised


@contextlib.contextmanager
def _no_servers() -> Iterator[None]:
    """Make calls that start a server do nothing, because the requests come from the page."""
    with (
        mock.patch.dict(os.environ, FLASK_RUN_FROM_CLI="true"),
        mock.patch("werkzeug.serving.run_simple"),
        mock.patch("wsgiref.simple_server.make_server"),
        mock.patch("waitress.serve"),
    ):
        yield


def load(file: Path, framework: str) -> dict[str, t.Any]:
    """Run the program as a script, and return its global variables.

    `framework` is the package that both ``import flask`` and ``import wsgi_core`` import.
    """
    module = ModuleType("__main__")
    module.__file__ = str(file)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(framework)}
    code = compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)
    before, sys.modules["__main__"] = sys.modules["__main__"], module
    try:
        with importing_from(file.parent):
            exec(code, module.__dict__)
    finally:
        sys.modules["__main__"] = before
    return module.__dict__


def _importer(framework: str) -> Callable[..., t.Any]:
    """Return an `__import__` function for the program. It imports `framework` for the names of both frameworks."""
    names = _flask_on_the_core() if framework == "wsgi_core" else {"wsgi_core": _CoreOnFlask()}
    stand_ins = t.cast("dict[str, ModuleType]", names)

    def import_(
        name: str, globals: t.Any = None, locals: t.Any = None, fromlist: t.Any = (), level: int = 0
    ) -> ModuleType:
        if level == 0 and name in stand_ins:
            return stand_ins[name] if fromlist else stand_ins[name.partition(".")[0]]
        return builtins.__import__(name, globals, locals, fromlist, level)

    return import_


def _flask_on_the_core() -> dict[str, flask_alias.Alias]:
    modules = flask_alias.aliases()
    modules["flask"].__version__ = version("flask")
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    return modules


class _CoreOnFlask(ModuleType):
    """A module named `wsgi_core` that has the names of Flask."""

    def __init__(self) -> None:
        super().__init__("wsgi_core", "wsgi_core, answered by flask")

    def __getattr__(self, name: str) -> t.Any:
        return getattr(importlib.import_module("flask"), {"App": "Flask"}.get(name, name))


def _app_of(namespace: dict[str, t.Any]) -> t.Any:
    name = next((name for name in NAMES if callable(namespace.get(name))), None)
    if name is None:
        names = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise _Failed(Failure(f"The program has no application: define one of the names {names}."))
    return namespace[name]() if name in FACTORIES else namespace[name]


def _send_all(recorded: Recording, requests: list[Request], output: Output) -> Iterator[Trace]:
    """Send the requests one after another, and return cookies to the app as a browser does. Stop after an exception."""
    cookies: dict[str, str] = {}
    for request in requests:
        environ = build_environ(recorded.wsgi, errors_stream=output, **request.options(cookies))
        answered = recorded.send(environ)
        cookies |= dict(_cookies(answered.headers))
        yield answered
        if answered.raised is not None:
            return


def _cookies(headers: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name.lower() == "set-cookie":
            pair = value.partition(";")[0]
            yield pair.partition("=")[0].strip(), pair.partition("=")[2]


def _ask_plainly(side: Side, app: t.Any, file: Path, requests: list[Request]) -> None:
    """Send the requests to a WSGI application that uses neither framework. Record its function calls and responses."""
    side.label = "WSGI"
    cookies: dict[str, str] = {}
    for request in requests:
        environ = EnvironBuilder(**request.options(cookies)).get_environ()
        answer: list[t.Any] = []
        ask = partial(_answer_into, answer, app, environ)
        side.calls += calls_of(ask, file.parent)
        status, headers, body = answer
        cookies |= dict(_cookies(headers))
        side.answers.append(_as_shown(status, headers, body))


def _answer_into(answer: list[t.Any], app: t.Any, environ: dict[str, t.Any]) -> None:
    parts, status, headers = run_wsgi_app(app, environ)
    answer += [status, headers.to_wsgi_list(), b"".join(parts)]


# Errors


@contextlib.contextmanager
def _logged_errors(side: Side, file: Path) -> Iterator[None]:
    """Store the first exception that the application logs in `side.failure`.

    For such an exception, the client sees only a 500 response.
    """
    make, known = logging.getLogRecordFactory(), set(logging.root.manager.loggerDict)

    def noting(*args: t.Any, **kwargs: t.Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and side.failure is None:
            side.failure = _failure(error, file)
        return record

    logging.setLogRecordFactory(noting)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
        # Remove the program's loggers. The next program may use the same names, and needs new loggers.
        for name in set(logging.root.manager.loggerDict) - known:
            del logging.root.manager.loggerDict[name]


def _failure(error: BaseException, file: Path) -> Failure:
    """Return a description of the error, with the last line of the program in its traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return Failure(f"{type(error).__name__}: {error.msg}", error.lineno)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    text = str(error) if isinstance(error, TimeLimit) else traceback.format_exception_only(error)[-1].strip()
    shown = "".join(traceback.format_list(frames)).replace(str(file), FILE)
    return Failure(text, frames[-1].lineno if frames else None, shown)


# The report


def _report(sides: list[Side], requests: list[Request], site: str) -> dict[str, t.Any]:
    failures = _failures(sides)
    report: dict[str, t.Any] = {
        "state": "error" if _did_not_run(sides) else "done",
        "failures": failures,
        "request": "\n".join(as_curl(request) for request in requests),
        "sides": [{"label": side.label, "output": side.output, "answers": side.answers} for side in sides],
        "calls": sides[-1].calls,
    }
    flask, core = sides[0].trace, sides[-1].trace
    if flask is not None and core is not None and len(sides) == len(FRAMEWORKS):
        rows = [*compare(flask.events, core.events), *compare_answers(flask, core)]
        report |= {
            "verdict": verdict(rows),
            "equal": all(row.equal for row in rows),
            "events": [_row(row) for row in rows],
            "page": render_page(rows, flask, core, site=site),
        }
    return report


def _did_not_run(sides: list[Side]) -> bool:
    return any(isinstance(side.error, TimeLimit) or not (side.trace or side.answers) for side in sides)


def _failures(sides: list[Side]) -> list[dict[str, t.Any]]:
    """Return the failures of the sides. If both sides have the same failure, return it once."""
    found: dict[tuple[str, int | None], dict[str, t.Any]] = {}
    for side in sides:
        if side.failure is not None:
            key = side.failure.message, side.failure.line
            entry = found.setdefault(key, {"where": "program", **vars(side.failure), "sides": []})
            entry["sides"].append(side.label)
    return list(found.values())


def _row(row: Row) -> dict[str, t.Any]:
    def cell(event: Event | None) -> dict[str, str] | None:
        return None if event is None else {"text": str(event), "place": event.location}

    return {"depth": row.event.depth, "equal": row.equal, "sides": [cell(row.left), cell(row.right)]}


def _answer(trace: Trace) -> str:
    if trace.status:
        return _as_shown(trace.status, trace.headers, trace.body)
    return f"No response: {type(trace.raised).__name__} reached the server."


def _as_shown(status: str, headers: list[tuple[str, str]], body: bytes) -> str:
    """Return the response as ``curl -i`` prints it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = f"<{len(body)} bytes>"
    return "\n".join([f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", text])


def run_json(program: str, request: str, signals: bool, site: str, folder: str) -> str:
    """Call `run`, and return the report as JSON text for JavaScript."""
    return json.dumps(run(program, request, Path(folder), signals, site))


# The exercises


def check_exercise(name: str, program: str, tries: int, folder: Path) -> dict[str, t.Any]:
    """Check a program against the exercise `name`, as ``wsgi-core learn check`` does.

    `tries` is the number of failed checks in a row before this check.
    """
    exercise = exercise_named(name)
    file = _write(folder / "course", step_source(exercise.chapter).name, program)
    output = Output()
    try:
        with redirect_stdout(output), redirect_stderr(output), _no_servers(), time_limit(str(file)):
            verdict = check_here(file, exercise)
    except TimeLimit as e:
        verdict = Verdict(False, str(e), _failure(e, file).line)
    lines = advice(exercise, verdict, tries + 1) if not verdict.solved else ["Solved."]
    return {"state": "done", "solved": verdict.solved, "lines": lines, "line": verdict.line}


def check_json(name: str, program: str, tries: int, folder: str) -> str:
    """Call `check_exercise`, and return the result as JSON text for JavaScript."""
    return json.dumps(check_exercise(name, program, tries, Path(folder)))
