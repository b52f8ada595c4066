"""The command line: it finds an app, runs the app's commands, and has the project's own commands."""

from __future__ import annotations

import os
import ssl
import sys
import types
from pathlib import Path
from typing import Any

import click
import flask.cli
import pytest

import wsgi_core.cli
from tests.conftest import CORE, FLASK
from tests.environs import outcome
from tests.runner import CliRunner
from wsgi_core.__main__ import cli

MODULES = {CORE: wsgi_core.cli, FLASK: flask.cli}


@pytest.fixture
def commands(web: Any) -> Any:
    return MODULES[web]


@pytest.fixture
def folder(tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an app in a module with a unique name, as the current folder."""
    class_name = "App" if web is CORE else "Flask"
    name = f"site_{class_name}_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(
        f"import click\nfrom {web} import {class_name} as App\n"
        "app = App(__name__)\n"
        "@app.get('/x')\ndef x(): return 'x'\n"
        "@app.cli.command()\n@click.argument('n', default=1)\ndef hello(n): click.echo(f'hello {n}')\n"
        "def create_app(word='made'):\n    app = App(word)\n    return app\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def module_name(folder: Path) -> str:
    return next(folder.glob("site_*.py")).stem


# Finding the app


def test_the_best_app_of_a_module_is_found(web: Any, commands: Any):
    def module(**names: Any) -> Any:
        made = types.ModuleType("m")
        vars(made).update(names)
        return made

    one, two = web.app(), web.app()
    find = commands.find_best_app
    assert find(module(app=one, other=two)) is one
    assert find(module(application=two, other=one)) is two
    assert find(module(anything=one)) is one
    assert find(module(create_app=lambda: two)) is two
    assert find(module(make_app=lambda word="x": two)) is two
    for names, says in (
        ({}, "Failed to find"),
        ({"a": one, "b": two}, "multiple"),
        ({"create_app": lambda needed: one}, "without"),
    ):
        with pytest.raises(commands.NoAppException, match=says):
            find(module(**names))


def test_an_error_inside_a_factory_is_not_taken_for_a_wrong_call(commands: Any):
    def create_app() -> Any:
        raise TypeError("mine")

    module = types.ModuleType("m")
    module.create_app = create_app  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="mine"):
        commands.find_best_app(module)


@pytest.mark.parametrize(
    ("text", "name"),
    [("app", "m"), ("make()", "d"), ("make('x')", "x"), ("make(word='y')", "y"), (" app ", "m"), ("make", "d"),
     ("none", None), ("app(", None), ("make(1, 2, 3)", None), ("a.b", None), ("make(name)", None), ("m.make()", None),
     ("1", None), ("", None), ("number", None)],
)  # fmt: skip
def test_an_app_is_found_by_a_text(web: Any, commands: Any, text: str, name: str | None):
    module = types.ModuleType("m")
    module.app, module.number = web.App("m"), 5  # type: ignore[attr-defined]
    module.make = lambda word="d": web.App(word)  # type: ignore[attr-defined]
    if name is None:
        with pytest.raises(commands.NoAppException):
            commands.find_app_by_string(module, text)
    else:
        assert commands.find_app_by_string(module, text).name == name


def test_a_file_is_imported_by_its_dotted_name(commands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "outer" / "inner"
    package.mkdir(parents=True)
    for path in (tmp_path / "outer", package):
        (path / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend("first")
    for path, name in ((package / "m.py", "outer.inner.m"), (package, "outer.inner"),
                       (package / "__init__.py", "outer.inner"),
                       (tmp_path / "alone.py", "alone")):  # fmt: skip
        assert commands.prepare_import(str(path)) == name


def test_a_module_that_is_not_there_is_told_from_one_that_fails(commands: Any, folder: Path):
    assert commands.locate_app("nothing_here", None, raise_if_not_found=False) is None
    with pytest.raises(commands.NoAppException, match="Could not import 'nothing_here'"):
        commands.locate_app("nothing_here", None)
    (folder / "fails_here.py").write_text("import missing_module", encoding="utf-8")
    with pytest.raises(commands.NoAppException, match="missing_module"):
        commands.locate_app("fails_here", None, raise_if_not_found=False)


def test_an_app_is_loaded_once_and_by_path(commands: Any, folder: Path):
    info = commands.ScriptInfo(app_import_path=f"{module_name(folder)}.py:create_app('w')")
    assert info.load_app().name == "w"
    assert info.load_app() is info.load_app()
    with pytest.raises(commands.NoAppException, match="Could not locate"):
        commands.ScriptInfo().load_app()


# Commands


def run(commands: Any, *args: str) -> Any:
    return CliRunner().invoke(commands.cli, args)


def test_commands_of_the_app_run(commands: Any, folder: Path):
    result = run(commands, "--app", module_name(folder), "hello", "5")
    assert (result.exit_code, result.output) == (0, "hello 5\n")


def test_help_lists_the_apps_commands(commands: Any, folder: Path):
    result = run(commands, "--app", module_name(folder), "--help")
    assert result.exit_code == 0
    for name in ("hello", "run", "shell", "routes"):
        assert name in result.output


def test_help_comes_though_the_app_fails(commands: Any, folder: Path):
    result = run(commands, "--app", "nothing_here", "--help")
    assert result.exit_code == 0
    assert "Could not import" in result.output


def test_an_unknown_command_is_told(commands: Any, folder: Path):
    result = run(commands, "--app", module_name(folder), "nothing")
    assert result.exit_code == 2
    assert "No such command 'nothing'" in result.output


@pytest.mark.parametrize("options", [(), ("--sort", "rule"), ("--all-methods",), ("-s", "match"), ("-s", "methods")])
def test_routes_are_listed_as_flask_lists_them(options: tuple[str, ...]):
    def listed(web: Any) -> str:
        app, blueprint = web.App("tests"), web.Blueprint("bp", "tests", subdomain="api" if options else None)
        app.add_url_rule("/", "index", methods=["GET", "POST"])
        app.add_url_rule("/<int:n>", "number")
        blueprint.add_url_rule("/x", "x")
        app.register_blueprint(blueprint)
        result = app.test_cli_runner().invoke(MODULES[web].routes_command, options)
        assert result.exit_code == 0
        return str(result.output)

    assert listed(CORE) == listed(FLASK)


def test_an_app_without_routes_says_so(web: Any, commands: Any):
    result = web.app().test_cli_runner().invoke(commands.routes_command)
    assert result.output == "No routes were registered.\n"


def test_run_serves_with_the_options(commands: Any, folder: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []
    monkeypatch.setattr(commands, "run_simple", lambda *args, **options: calls.append((args, options)))
    result = run(commands, "--app", module_name(folder), "run", "-h", "h", "-p", "81", "--debug", "--no-reload")
    assert result.exit_code == 0, result.output
    (host, port, _), options = calls[0][0], calls[0][1]
    assert (host, port) == ("h", 81)
    assert (options["use_debugger"], options["use_reloader"], options["threaded"]) == (True, False, True)
    assert "Serving Flask app" in result.output


@pytest.mark.parametrize(
    "args", [("--cert", "c"), ("--cert", "adhoc", "--key", "k"), ("--key", "k"),
             ("--cert", "ssl_context", "--key", "k"),
             ("--cert", "c", "--key", "k"), ("--cert", "ssl_context"), ("--cert", "nothing.here")],
)  # fmt: skip
def test_certificates_and_keys_go_together_as_in_flask(
    args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("c", "k"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ssl_context", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def parsed(module: Any) -> Any:
        def parse() -> Any:
            context = module.run_command.make_context("run", list(args))
            return repr(context.params["cert"])

        return outcome(parse).partition(":")[0]

    assert parsed(wsgi_core.cli) == parsed(flask.cli)


def test_the_shell_starts_with_the_app(web: Any, commands: Any, monkeypatch: pytest.MonkeyPatch):
    started: list[Any] = []
    monkeypatch.setattr("code.interact", lambda banner, local: started.append((banner, local)))
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    app = web.app()
    assert app.test_cli_runner().invoke(commands.shell_command).exit_code == 0
    assert "App: tests" in started[0][0]
    assert started[0][1]["app"] is app


def test_with_appcontext_gives_a_command_the_app(web: Any, commands: Any):
    @click.command()
    @commands.with_appcontext
    def plain() -> None:
        click.echo(web.current_app.name)

    assert web.app().test_cli_runner().invoke(plain).output == "tests\n"


def test_groups_wrap_their_commands_unless_told_not_to(web: Any, commands: Any):
    app = web.app()
    group = commands.AppGroup("g")

    @group.command()
    def inside() -> None:
        click.echo(str(web.has_app_context()))

    @group.command(with_appcontext=False)
    def outside() -> None:
        click.echo(str(web.has_app_context()))

    obj = commands.ScriptInfo(create_app=lambda: app)
    assert CliRunner().invoke(group, ["inside"], obj=obj).output == "True\n"
    assert CliRunner().invoke(group, ["outside"], obj=obj).output == "False\n"


def test_commands_of_a_blueprint_stand_in_its_group(web: Any):
    app = web.app()
    for name, options in (("own", {}), ("merged", {"cli_group": None}), ("renamed", {"cli_group": "other"})):
        blueprint = web.Blueprint(name, "tests", **options)
        blueprint.cli.command(f"say-{name}")(lambda name=name: click.echo(name))
        app.register_blueprint(blueprint)
    runner = app.test_cli_runner()
    for args in (["own", "say-own"], ["say-merged"], ["other", "say-renamed"]):
        assert runner.invoke(args=args).exit_code == 0


# Environment files


def test_environment_files_set_what_is_not_set_yet(commands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("TESTS_A=env\nTESTS_B=env\n", encoding="utf-8")
    (tmp_path / ".flaskenv").write_text("TESTS_A=flaskenv\nTESTS_C=flaskenv\nTESTS_D=flaskenv\n", encoding="utf-8")
    (tmp_path / "mine").write_text("TESTS_B=mine\nTESTS_D=mine\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in "ABC":
        monkeypatch.setenv(f"TESTS_{name}", "")
        monkeypatch.delenv(f"TESTS_{name}")
    monkeypatch.setenv("TESTS_D", "set")
    assert commands.load_dotenv("mine") is True
    assert [os.environ[f"TESTS_{name}"] for name in "ABCD"] == ["env", "mine", "flaskenv", "set"]


def test_a_file_that_is_not_there_sets_nothing(commands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert not commands.load_dotenv("nothing")


# The project's own group


def test_the_versions_are_told():
    result = CliRunner().invoke(cli, ["--version"])
    assert result.exit_code == 0
    assert "wsgi_core" in result.output
    assert "Werkzeug" in result.output


def test_help_names_the_projects_commands_and_needs_no_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name in ("serve", "run", "routes", "shell"):
        assert name in result.output
    assert "Error" not in result.output


def test_serve_needs_no_plugin(monkeypatch: pytest.MonkeyPatch):
    """A plugin that is slow to import, or broken, must not affect `serve`."""
    monkeypatch.setattr(cli, "_load_plugin_commands", lambda: pytest.fail("loaded the plugins"))
    result = CliRunner().invoke(cli, ["serve", "--help"])
    assert result.exit_code == 0
    assert "--framework" in result.output
