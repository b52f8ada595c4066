"""The examples in the playground: the course's chapters, the ten questions, and the golden traces."""

from __future__ import annotations

import ast
import functools
import typing as t
from pathlib import Path

from tests.conformance import golden_apps
from tests.docs import course, questions
from wsgi_core.commands.learn.exercises import exercises_of

DOCS = Path(__file__).parents[3] / "docs"
SUM = "POST /sum\nContent-Type: application/json\n\n[1, 2, 3]"
FIRST = """\
from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def who():
    g.user = request.args.get("user", "nobody")


@app.after_request
def stamp(response):
    response.headers["X-User"] = g.user
    return response


@app.teardown_request
def done(error):
    print("teardown receives", error)


@app.get("/hello/<name>")
def hello(name):
    return {"hello": name, "asked by": g.user}
"""

# Exercises that need onnxruntime, which does not run in a browser.
_NEED_A_MODEL = ("8b",)

Example = dict[str, t.Any]


def groups() -> list[dict[str, t.Any]]:
    """Return the examples in groups, as the page lists them."""
    first = {"name": "first", "title": "A first program", "program": FIRST, "request": "GET /hello/Ada?user=Grace"}
    return [
        {"title": "Begin here", "items": [first]},
        {"title": "The course", "items": [_chapter(number, step) for number, step in enumerate(course.STEPS)]},
        {"title": "Ten questions", "items": [_question(program) for program in questions.PROGRAMS]},
        {"title": "Golden traces", "items": [_golden(name) for name in golden_apps.CASES]},
    ]


def _heading(page: Path) -> str:
    """Return the page's title without Markdown."""
    line = next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
    return line.removeprefix("# ").replace("`", "").replace("·", " ").replace("  ", " ").replace("  ", " ")


def _chapter(number: int, step: Path) -> Example:
    tasks = [
        {"name": each.name, "letter": each.letter, "task": each.task, "here": each.name not in _NEED_A_MODEL}
        for each in exercises_of(number)
    ]
    return {
        "name": step.stem, "title": _heading(DOCS / "course" / f"chapter_{number}.md"), "request": SUM,
        "program": step.read_text(encoding="utf-8"), "exercises": tasks,
    }  # fmt: skip


def _question(program: Path) -> Example:
    # Python in a browser has no threads, so a question about threads has another program there.
    by_hand = DOCS / "playground" / "by_hand" / program.name
    return {
        "name": program.stem, "title": _heading(program.with_suffix(".md")),
        "request": f"GET {questions.PATHS.get(program.stem, '/')}", "signals": program.stem == "order_of_signals",
        "program": (by_hand if by_hand.exists() else program).read_text(encoding="utf-8"),
    }  # fmt: skip


# The golden traces


def _golden(name: str) -> Example:
    """Return a case of `golden_apps` as a separate program on Flask."""
    case = golden_apps.CASES[name]
    functions = {node.name: node for node in _module().body if isinstance(node, ast.FunctionDef)}
    function = functions.get(name) or functions[f"{name}_"]
    drive = _drive(function)
    request, drive_name = _request(drive)
    wanted = [*_needed(function, functions), *([functions[drive_name]] if drive_name else [])]
    parts = [_as_program(node, function, drive_name) for node in wanted]
    return {
        "name": f"trace/{name}", "title": name.replace("_", " "), "request": request, "signals": True,
        "program": "\n\n\n".join([f'"""{case.lead}"""\n\nimport flask', *parts, *_closing_early(drive)]) + "\n",
    }  # fmt: skip


@functools.cache
def _module() -> ast.Module:
    assert golden_apps.__file__
    return ast.parse(Path(golden_apps.__file__).read_text(encoding="utf-8"))


def _drive(function: ast.FunctionDef) -> ast.expr | None:
    """Return the first argument of ``@case(...)``, or None if it has no arguments."""
    (decorator,) = function.decorator_list
    assert isinstance(decorator, ast.Call)
    return decorator.args[0] if decorator.args else None


def _request(drive: ast.expr | None) -> tuple[str, str]:
    """Return the request as text, and the name of the function that sends it, if any."""
    if isinstance(drive, ast.Name):
        return "GET /", drive.id
    path, method = "/", "GET"
    if isinstance(drive, ast.Call):
        path = ast.literal_eval(drive.args[0]) if drive.args else path
        method = next((ast.literal_eval(each.value) for each in drive.keywords if each.arg == "method"), method)
    return f"{method} {path}", ""


def _closing_early(drive: ast.expr | None) -> list[str]:
    if not isinstance(drive, ast.Call) or not any(each.arg == "close_after" for each in drive.keywords):
        return []
    return [_CLOSING]


_CLOSING = '''\
def drive(recorded):
    """Send the request, and go away after the first chunk of the body."""
    return recorded.send(recorded.environ("/"), close_after=1)'''


def _needed(function: ast.FunctionDef, known: dict[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    """Return the functions that `function` uses, dependencies first, and `function` itself last."""
    found: dict[str, ast.FunctionDef] = {}
    for node in (node for statement in function.body for node in ast.walk(statement)):
        name = node.id if isinstance(node, ast.Name) else ""
        if name in known and name not in ("sessions_of", "get") and not known[name].decorator_list:
            found |= {each.name: each for each in _needed(known[name], known)}
    return [*found.values(), function]


def _as_program(node: ast.FunctionDef, case: ast.FunctionDef, drive: str) -> str:
    made = _OnFlask().visit(ast.parse(ast.unparse(node)).body[0])
    if node.name == case.name:
        made.name, made.decorator_list = "create_app", []
        made.body = made.body[1:] if ast.get_docstring(made) else made.body
    if node.name == drive:
        made.name = "drive"
    return _with_space(ast.unparse(ast.fix_missing_locations(made)))


def _with_space(text: str) -> str:
    """Return the text with an empty line around each inner function."""
    lines: list[str] = []
    inside: list[int] = []
    for line in filter(str.strip, text.split("\n")):
        indent, code = len(line) - len(line.lstrip()), line.lstrip()
        has_ended = bool(inside) and indent <= inside[-1]
        inside = [each for each in inside if each < indent]
        begins = bool(indent) and code.startswith(("@", "def ", "async def ", "class "))
        if (has_ended or begins) and not lines[-1].endswith(":") and not lines[-1].lstrip().startswith("@"):
            lines.append("")
        if begins and not code.startswith("@"):
            inside.append(indent)
        lines.append(line)
    return "\n".join(lines)


class _OnFlask(ast.NodeTransformer):
    """Removes annotations and the parameter `fw`, because the program imports flask itself."""

    def _function(self, node: t.Any) -> t.Any:
        self.generic_visit(node)
        node.returns = None
        node.args.args = [each for each in node.args.args if each.arg != "fw"]
        for argument in [*node.args.args, node.args.kwarg]:
            if argument is not None:
                argument.annotation = None
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace the framework's module with flask."""
        return ast.Name("flask") if node.id == "fw" else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """Remove the annotation of an assignment."""
        assert node.value is not None
        return ast.Assign([node.target], self.visit(node.value), lineno=node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace `App` with Flask's `Flask`."""
        if isinstance(node.value, ast.Name) and node.value.id == "fw" and node.attr == "App":
            return ast.Attribute(ast.Name("flask"), "Flask")
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Remove the framework argument from calls of helpers, and use Flask's sessions."""
        if isinstance(node.func, ast.Name) and node.func.id == "sessions_of":
            return ast.Attribute(ast.Name("flask"), "sessions")
        if ast.unparse(node.func) == "get()":
            return ast.parse('recorded.send(recorded.environ("/"))', mode="eval").body
        node.args = [each for each in node.args if not (isinstance(each, ast.Name) and each.id == "fw")]
        self.generic_visit(node)
        return node
