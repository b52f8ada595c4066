"""The rules of the project: equal texts of the twins, allowed imports, Flask's names, and limits of code lines."""

from __future__ import annotations

import ast
import configparser
import functools
import io
import pkgutil
import re
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

import wsgi_core
from tests.processes import ROOT, run

CORE = Path(wsgi_core.__file__).parent
FLASK = Path(flask.__file__).parent

LIFECYCLE = ("app", "wrappers", "context", "routing", "scaffold", "blueprints", "errors", "responses")
FILES = sorted(CORE.rglob("*.py"))
# The root of the package is the core. Its command line does not count as Flask's surface.
SURFACE = [file for file in CORE.glob("*.py") if file.stem not in {"cli", "__main__"}]
# The layers above the core, lowest first. A layer may import only the core and the layers before it.
FLOORS = ("inference", "shared", "service", "serving", "commands", "trace")


@functools.cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the lines of all docstrings, and of strings that document the assignment before them."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


@functools.cache
def code_lines(file: Path) -> set[int]:
    """Return the lines of code: neither blank lines nor lines with only a comment or a docstring."""
    text = file.read_text(encoding="utf-8")
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(parsed(file))


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Return the name and the number of code lines of each function, including its inner functions."""
    lines = code_lines(file)
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{file.stem}.{node.name}", sum(node.lineno <= line <= node.end_lineno for line in lines)


@functools.cache
def imported(file: Path) -> set[str]:
    """Return the dotted names of all modules that a file imports anywhere. Relative names are made absolute."""
    package = list(file.relative_to(ROOT).with_suffix("").parts[:-1])
    names: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            names.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
    return names


def imports_any(file: Path, *modules: str) -> list[str]:
    """Return which of the modules, or of their submodules, a file imports."""
    found = imported(file)
    return [name for name in found for module in modules if name == module or name.startswith(f"{module}.")]


# The twin


TWINS = sorted(file.relative_to(ROOT / "flask_equiv") for file in (ROOT / "flask_equiv" / "service").rglob("*.py"))


def test_every_file_of_the_service_has_its_twin():
    assert sorted(file.relative_to(CORE) for file in (CORE / "service").rglob("*.py")) == TWINS


@pytest.mark.parametrize("file", [file for file in TWINS if file.name == "__init__.py"], ids=str)
def test_the_packages_of_the_twins_have_the_same_text(file: Path):
    core, twin = ((ROOT / folder / file).read_text(encoding="utf-8") for folder in ("wsgi_core", "flask_equiv"))
    assert core == twin


@pytest.mark.parametrize("file", [file for file in TWINS if file.name != "__init__.py"], ids=str)
def test_the_twins_differ_in_their_import_lines_alone(file: Path):
    core, twin = ((ROOT / folder / file).read_text(encoding="utf-8") for folder in ("wsgi_core", "flask_equiv"))

    def imports(text: str) -> set[str]:
        return {line for line in text.splitlines() if line.startswith(("from ", "import "))}

    def rest(text: str) -> list[str]:
        return [line for line in text.splitlines() if line and line not in imports(text)]

    assert rest(core) == rest(twin)
    ours, theirs = imports(core) - imports(twin), imports(twin) - imports(core)
    assert 1 <= len(ours) == len(theirs) <= 5
    assert all(re.match(r"from wsgi_core(\.\w+)* import ", line) for line in ours)
    assert all(re.match(r"from flask(\.\w+)* import ", line) for line in theirs)


# Floors


def test_importing_all_of_wsgi_core_never_imports_flask():
    names = [module.name for module in pkgutil.walk_packages([str(CORE)], "wsgi_core.") if "_models" not in module.name]
    assert "wsgi_core.service" in names
    code = (
        f"import importlib, sys\nfor name in ['wsgi_core', *{names!r}]:\n    importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('flask', 'flask_equiv', 'loadtests', 'tests')])"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_importing_the_core_imports_neither_models_nor_server_nor_templates():
    """Modules that a request may never need are imported at their first use, and do not slow down the start."""
    heavy = {"onnxruntime", "numpy", "waitress", "jinja2", "click", "itsdangerous", "pydantic", "rich"}
    done = run("-c", f"import sys, wsgi_core\nprint([name for name in sys.modules if name in {heavy!r}])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_in_wsgi_core_imports_flask_or_what_measures_it(file: Path):
    assert imports_any(file, "flask", "flask_equiv", "loadtests", "tests") == []


def test_nothing_beside_them_imports_loadtests_or_tests():
    for folder in ("flask_equiv", "models"):
        for file in (ROOT / folder).rglob("*.py"):
            assert imports_any(file, "loadtests", "tests") == [], file
    for file in (ROOT / "loadtests").rglob("*.py"):
        assert imports_any(file, "tests") == [], file


@pytest.mark.parametrize("file", sorted((CORE / "inference").rglob("*.py")), ids=lambda file: file.stem)
def test_inference_knows_no_core_and_no_http(file: Path):
    outside = [name for name in imported(file) if name.startswith("wsgi_core") and ".inference" not in name]
    assert outside == []
    assert imports_any(file, "werkzeug", "flask", "waitress", "http", "wsgiref", "socket", "click", "jinja2") == []


@pytest.mark.parametrize("file", SURFACE, ids=lambda file: file.stem)
def test_the_core_knows_nothing_above_it(file: Path):
    above = [f"wsgi_core.{folder.name}" for folder in CORE.iterdir() if folder.is_dir()]
    assert imports_any(file, *above, "onnxruntime", "numpy", "waitress", "pydantic", "rich") == []


def test_every_folder_beside_the_core_is_a_floor():
    assert set(FLOORS) == {file.parent.name for file in CORE.glob("*/__init__.py")}


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_knows_only_those_below_it(floor: str):
    above = [f"wsgi_core.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :]]
    found = {str(file.relative_to(CORE)): imports_any(file, *above) for file in (CORE / floor).rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize("floor", ["shared", "serving"])
def test_what_both_twins_share_and_the_server_know_no_lifecycle(floor: str):
    core = [f"wsgi_core.{file.stem}" for file in SURFACE if file.stem != "__init__"]
    found = {str(file.relative_to(CORE)): imports_any(file, *core) for file in (CORE / floor).rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}


def test_the_wheel_has_every_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    mapped = {line.split("=")[0].strip() for line in setup["options"]["package_dir"].split("\n") if line}
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for package in ("wsgi_core", "flask_equiv", "loadtests")
        for file in (ROOT / package).rglob("__init__.py")
    }
    assert set(setup["options"]["packages"].split()) == found | mapped


# Test files mirror the source files


# Folders of tests/ that test more than one source file: both twins, pages, training scripts, the whole server.
WHOLE = {"conformance", "docs", "models", "pressure"}


def sources_of(test: Path) -> list[Path]:
    """Return the source files that a test file may mirror: a module, or the modules of a package, with its name."""
    place = test.relative_to(ROOT / "tests")
    name = place.stem.removeprefix("test_")
    return [folder / place.parent / found for folder in (CORE, ROOT) for found in (f"{name}.py", f"{name}/__init__.py")]


def test_every_test_file_stands_where_its_source_stands():
    tests = [file for file in (ROOT / "tests").rglob("test_*.py") if file.parts[len(ROOT.parts) + 1] not in WHOLE]
    stray = [str(file.relative_to(ROOT)) for file in tests if not any(source.is_file() for source in sources_of(file))]
    assert sorted(stray) == ["tests/test_design.py", "tests/test_repository.py"], "these two are about the whole tree"


def does_something(file: Path) -> bool:
    """Return whether a module has a function with a body."""
    bodies = [node.body for node in ast.walk(parsed(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not isinstance(line, ast.Expr | ast.Pass) for body in bodies for line in body)


def test_every_module_has_a_test_file_of_its_name():
    modules = [file for file in FILES if not file.stem.startswith("__") and does_something(file)]
    missing = [
        str(file.relative_to(CORE))
        for file in modules
        if not (ROOT / "tests" / file.relative_to(CORE)).with_name(f"test_{file.name}").is_file()
    ]
    assert missing == []


# Names


MIRRORS = re.compile(r"Mirrors\s+flask\s+3\.1\.3\s+([\w/]+\.py):\s+([\w.]*\w)")


@functools.cache
def docstrings() -> list[tuple[str, str]]:
    found = []
    for file in FILES:
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    found.append((f"{file.stem}.{getattr(node, 'name', '')}", text))
    return found


def twins() -> list[tuple[str, str, str]]:
    """Return each docstring's claim of a twin: where it is, the file of Flask, and the name in it."""
    return [(who, *found) for who, text in docstrings() for found in MIRRORS.findall(text)]


@functools.cache
def flask_names(file: Path) -> set[str]:
    """Return the dotted names of all classes and functions of a file."""

    def walk(node: ast.AST, prefix: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name
                if isinstance(child, ast.ClassDef):
                    yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.If):
                yield from walk(child, prefix)

    return set(walk(parsed(file), ""))


def test_every_twin_that_is_named_exists_in_flask():
    named = twins()
    assert len(named) > 50
    missing = [
        (who, file, name)
        for who, file, name in named
        if not (FLASK / file).is_file() or name not in flask_names(FLASK / file)
    ]
    assert missing == []


def test_no_mirror_is_written_so_that_it_is_not_checked():
    mentioned = sum(len(re.findall(r"Mirrors\s+flask", text)) for _, text in docstrings())
    assert mentioned == len(twins())


PHASES = (
    "app.wsgi_app", "app.full_dispatch_request", "app.preprocess_request", "app.dispatch_request",
    "app.finalize_request", "app.process_response", "app.do_teardown_request", "app.do_teardown_appcontext",
    "errors._find_error_handler",
    "errors.handle_http_exception", "errors.handle_user_exception", "errors.handle_exception", "errors.log_exception",
    "responses.make_response", "routing.add_url_rule", "routing.create_url_adapter", "routing.raise_routing_exception",
    "routing.url_for", "context.push", "context.pop", "context.match_request", "context.after_this_request",
    "app.app_context", "app.request_context", "app.ensure_sync", "errors.trap_http_exception",
    "responses.make_default_options_response", "routing.inject_url_defaults", "context.session", "context.copy",
    "blueprints.register", "sessions.open_session", "sessions.save_session",
)  # fmt: skip


def test_every_phase_names_its_twin():
    assert set(PHASES) <= {who for who, _, _ in twins()}


def test_the_core_exports_what_flask_exports():
    exported = {name for name in vars(flask) if not name.startswith("_") and name not in {"typing", "t", "annotations"}}
    modules = {name for name in exported if isinstance(vars(flask)[name], type(flask))}
    expected = {"App" if name == "Flask" else name for name in exported - modules} | {"json"}
    assert expected <= set(dir(wsgi_core))


# Budget


def test_the_lifecycle_stays_within_1300_lines():
    assert sum(len(code_lines(CORE / f"{name}.py")) for name in LIFECYCLE) <= 1300


def test_the_whole_surface_stays_within_2700_lines():
    assert sum(len(code_lines(file)) for file in SURFACE) <= 2700


def test_functions_are_short():
    lengths = sorted(length for file in SURFACE for _, length in functions(file))
    assert statistics.median(lengths) <= 7
    assert lengths[int(len(lengths) * 0.9)] <= 25


def test_no_function_is_long():
    assert [found for file in FILES for found in functions(file) if found[1] > 50] == []


def test_wsgi_app_shows_the_phases_in_40_lines():
    (node,) = (
        node
        for node in ast.walk(parsed(CORE / "app.py"))
        if isinstance(node, ast.FunctionDef) and node.name == "wsgi_app"
    )
    assert node.end_lineno is not None
    assert node.end_lineno - node.lineno + 1 <= 40
    text = ast.unparse(node)
    phases = ["request_context", "push", "full_dispatch_request", "handle_exception", "response(environ", "pop"]
    places = [text.index(f"{phase}(" if not phase.endswith("environ") else phase) for phase in phases]
    assert places == sorted(places)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_says_what_it_is_for(file: Path):
    assert ast.get_docstring(parsed(file)) or not file.read_text(encoding="utf-8").strip()
