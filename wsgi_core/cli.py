"""The command line of an app: finding the app, running commands inside its context, ``run``, ``shell``, ``routes``.

``wsgi-core --app module:app COMMAND`` is built on this, as ``flask`` is on Flask's; the environment variables
(``FLASK_APP``, ``FLASK_DEBUG``, ...) and the names are Flask's.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import inspect
import os
import platform
import re
import sys
import traceback
import typing as t
from functools import update_wrapper
from operator import itemgetter

import click
from click.core import ParameterSource
from werkzeug.serving import is_running_from_reloader, run_simple
from werkzeug.utils import import_string

from .context import current_app
from .helpers import get_debug_flag, get_load_dotenv

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .app import App

    # Generic since click 8.5, and not before.
    ParamType = click.ParamType[t.Any]
else:
    ParamType = click.ParamType

F = t.TypeVar("F", bound="Callable[..., t.Any]")

# Finding the app


class NoAppException(click.UsageError):
    """There is no app where one was looked for."""


def find_best_app(module: ModuleType) -> App:
    """Return the app of a module: by its usual names, the only one, or made by a factory of the usual name.

    Raises NoAppException. Mirrors flask 3.1.3 cli.py: find_best_app.
    """
    from .app import App

    for name in ("app", "application"):
        app = getattr(module, name, None)
        if isinstance(app, App):
            return app
    apps = [value for value in vars(module).values() if isinstance(value, App)]
    if len(apps) == 1:
        return apps[0]
    if apps:
        raise NoAppException(
            f"Detected multiple Flask applications in module '{module.__name__}'."
            f" Use '{module.__name__}:name' to specify the correct one."
        )
    for name in ("create_app", "make_app"):
        factory = getattr(module, name, None)
        if inspect.isfunction(factory):
            hint = (
                f"Detected factory '{name}' in module '{module.__name__}', but could not call it without"
                f" arguments. Use '{module.__name__}:{name}(args)' to specify arguments."
            )
            app = call_factory(factory, [], {}, hint)
            if isinstance(app, App):
                return app
    raise NoAppException(
        f"Failed to find Flask application or factory in module '{module.__name__}'."
        f" Use '{module.__name__}:name' to specify one."
    )


def call_factory(factory: t.Any, args: list[t.Any], kwargs: dict[str, t.Any], hint: str) -> t.Any:
    """Return what the factory returns. Raises NoAppException with ``hint`` if it does not take these arguments."""
    try:
        return factory(*args, **kwargs)
    except TypeError as e:
        if not _called_with_wrong_args(factory):
            raise
        raise NoAppException(hint) from e


def _called_with_wrong_args(f: Callable[..., t.Any]) -> bool:
    """Return whether the TypeError at hand was raised by the call of ``f`` itself, not inside it."""
    tb = sys.exc_info()[2]
    try:
        while tb is not None:
            if tb.tb_frame.f_code is f.__code__:
                return False
            tb = tb.tb_next
        return True
    finally:
        del tb  # refers to this frame, which refers to it


def find_app_by_string(module: ModuleType, app_name: str) -> App:
    """Return the app that ``name`` or ``factory(args)`` stands for in a module, the arguments literals.

    Raises NoAppException. Mirrors flask 3.1.3 cli.py: find_app_by_string.
    """
    from .app import App

    name, args, kwargs = parse_app_name(app_name)
    try:
        app = getattr(module, name)
    except AttributeError as e:
        raise NoAppException(f"Failed to find attribute {name!r} in {module.__name__!r}.") from e
    if inspect.isfunction(app):
        hint = (
            f"The factory {app_name!r} in module {module.__name__!r} could not be called with the specified arguments."
        )
        app = call_factory(app, args, kwargs, hint)
    if not isinstance(app, App):
        raise NoAppException(f"A valid Flask application was not obtained from '{module.__name__}:{app_name}'.")
    return app


def parse_app_name(app_name: str) -> tuple[str, list[t.Any], dict[str, t.Any]]:
    """Return the name, the arguments and the keywords of ``name`` or ``factory(args)``. Raises NoAppException."""
    unreadable = NoAppException(f"Failed to parse {app_name!r} as an attribute name or function call.")
    try:
        expr = ast.parse(app_name.strip(), mode="eval").body
    except SyntaxError:
        raise unreadable from None
    if isinstance(expr, ast.Name):
        return expr.id, [], {}
    if not isinstance(expr, ast.Call):
        raise unreadable
    if not isinstance(expr.func, ast.Name):
        raise NoAppException(f"Function reference must be a simple name: {app_name!r}.")
    try:
        args = [ast.literal_eval(arg) for arg in expr.args]
        kwargs = {kw.arg: ast.literal_eval(kw.value) for kw in expr.keywords if kw.arg is not None}
    except ValueError:
        raise NoAppException(f"Failed to parse arguments as literal values: {app_name!r}.") from None
    return expr.func.id, args, kwargs


def prepare_import(path: str) -> str:
    """Return the dotted name of a module given by name or file; its root folder goes to the front of ``sys.path``."""
    path = os.path.realpath(path)
    stem, extension = os.path.splitext(path)
    if extension == ".py":
        path = stem
    if os.path.basename(path) == "__init__":
        path = os.path.dirname(path)
    names: list[str] = []
    while not names or os.path.exists(os.path.join(path, "__init__.py")):
        path, name = os.path.split(path)
        names.insert(0, name)
    if sys.path[0] != path:
        sys.path.insert(0, path)
    return ".".join(names)


def locate_app(module_name: str, app_name: str | None, raise_if_not_found: bool = True) -> App | None:
    """Import a module and find its app; None if there is no such module and that may be.

    Raises NoAppException. Mirrors flask 3.1.3 cli.py: locate_app.
    """
    try:
        __import__(module_name)
    except ImportError:
        # A traceback that goes deeper than this frame: the module exists, and an import in it failed.
        tb = sys.exc_info()[2]
        if tb is not None and tb.tb_next:
            raise NoAppException(
                f"While importing {module_name!r}, an ImportError was raised:\n\n{traceback.format_exc()}"
            ) from None
        if raise_if_not_found:
            raise NoAppException(f"Could not import {module_name!r}.") from None
        return None
    module = sys.modules[module_name]
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)


class ScriptInfo:
    """What the command line knows about the app, which it loads when a command first needs it.

    Mirrors flask 3.1.3 cli.py: ScriptInfo.
    """

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: Callable[..., App] | None = None,
        set_debug_flag: bool = True,
        load_dotenv_defaults: bool = True,
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        self.data: dict[t.Any, t.Any] = {}
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self._loaded_app: App | None = None

    def load_app(self) -> App:
        """Return the app, loaded once; NoAppException if there is none."""
        if self._loaded_app is None:
            app = self._find_app()
            if app is None:
                raise NoAppException(
                    "Could not locate a Flask application. Use the '--app' option, the 'FLASK_APP' environment"
                    " variable, or a 'wsgi.py' or 'app.py' file in the current directory."
                )
            if self.set_debug_flag:
                app.debug = get_debug_flag()
            self._loaded_app = app
        return self._loaded_app

    def _find_app(self) -> App | None:
        if self.create_app is not None:
            return self.create_app()
        if self.app_import_path:
            # The colon before the name, not that of a Windows drive.
            path, *name = re.split(r":(?![\\/])", self.app_import_path, maxsplit=1)
            return locate_app(prepare_import(path), name[0] if name else None)
        found = (locate_app(prepare_import(path), None, False) for path in ("wsgi.py", "app.py"))
        return next((app for app in found if app is not None), None)


pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)

# Groups and their options


def with_appcontext(f: F) -> F:
    """Run a command's function inside the app's context. Mirrors flask 3.1.3 cli.py: with_appcontext."""

    @click.pass_context
    def decorator(ctx: click.Context, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if not current_app:
            ctx.with_resource(ctx.ensure_object(ScriptInfo).load_app().app_context())
        return ctx.invoke(f, *args, **kwargs)

    return t.cast(F, update_wrapper(decorator, f))


class AppGroup(click.Group):
    """A group whose commands run inside the app's context. Mirrors flask 3.1.3 cli.py: AppGroup."""

    def command(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Register a command as click does, wrapped by `with_appcontext` unless ``with_appcontext=False``."""
        wrap = kwargs.pop("with_appcontext", True)
        decorate = super().command(*args, **kwargs)
        return lambda f: decorate(with_appcontext(f) if wrap else f)

    def group(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Register a group as click does, of this class."""
        kwargs.setdefault("cls", AppGroup)
        return super().group(*args, **kwargs)


def get_version(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    if value and not ctx.resilient_parsing:
        versions = [f"Python {platform.python_version()}"]
        for title, package in (("wsgi_core", "wsgi_core"), ("Werkzeug", "werkzeug")):
            versions.append(f"{title} {importlib.metadata.version(package)}")
        click.echo("\n".join(versions), color=ctx.color)
        ctx.exit()


def _set_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> bool | None:
    assert param.name is not None
    if ctx.get_parameter_source(param.name) in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
        return None
    # By the environment, so that a reloaded process and a factory see it as well.
    os.environ["FLASK_DEBUG"] = "1" if value else "0"
    return value


def _load_env_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and importlib.util.find_spec("dotenv") is None:
        raise click.BadParameter("python-dotenv must be installed to load an env file.", ctx, param)
    if value is not None or ctx.obj.load_dotenv_defaults:
        load_dotenv(value, load_defaults=ctx.obj.load_dotenv_defaults)
    return value


version_option = click.Option(
    ["--version"], help="Show the versions.", expose_value=False, callback=get_version,
    is_flag=True, is_eager=True,
)  # fmt: skip
_app_option = click.Option(
    ["-A", "--app"], metavar="IMPORT", is_eager=True, expose_value=False, callback=_set_app,
    help="The application or factory to load, as 'module:name'. The module is a dotted name or a file. The name"
    " may be left out if it is 'app', 'application', 'create_app' or 'make_app', and may be 'name(args)'.",
)  # fmt: skip
_debug_option = click.Option(["--debug/--no-debug"], help="Set debug mode.", expose_value=False, callback=_set_debug)
_env_file_option = click.Option(
    ["-e", "--env-file"], type=click.Path(exists=True, dir_okay=False), is_eager=True, expose_value=False,
    callback=_load_env_file,
    help="Read environment variables from this file. They take precedence over those in '.env' and '.flaskenv', but not"
    " over those set in the environment. Needs python-dotenv.",
)  # fmt: skip


class FlaskGroup(AppGroup):
    """The main group: its own commands, those of plugins, and those of the app that the options name.

    Mirrors flask 3.1.3 cli.py: FlaskGroup.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: Callable[..., App] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: t.Any,
    ) -> None:
        params = [*(extra.pop("params", None) or ()), _env_file_option, _app_option, _debug_option]
        if add_version_option:
            params.append(version_option)
        settings = {"auto_envvar_prefix": "FLASK"} | (extra.pop("context_settings", None) or {})
        super().__init__(params=params, context_settings=settings, **extra)
        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        if add_default_commands:
            for command in (run_command, shell_command, routes_command):
                self.add_command(command)
        self._loaded_plugin_commands = False

    def _load_plugin_commands(self) -> None:
        if not self._loaded_plugin_commands:
            for entry_point in importlib.metadata.entry_points(group="wsgi_core.commands"):
                try:
                    command = entry_point.load()
                except ImportError as e:
                    command = _unavailable_command(entry_point.name, str(e))
                self.add_command(command, entry_point.name)
            self._loaded_plugin_commands = True

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command of this group's or of a plugin's; else one of the app's, which is loaded for it."""
        self._load_plugin_commands()
        command = super().get_command(ctx, name)
        if command is not None:
            return command
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as e:
            click.secho(f"Error: {e.format_message()}\n", err=True, fg="red")
            return None
        if not current_app or current_app._get_current_object() is not app:  # type: ignore[attr-defined]
            ctx.with_resource(app.app_context())
        return app.cli.get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands; an app that can't be loaded is reported and left out."""
        self._load_plugin_commands()
        names = set(super().list_commands(ctx))
        try:
            names.update(ctx.ensure_object(ScriptInfo).load_app().cli.list_commands(ctx))
        except NoAppException as e:
            click.secho(f"Error: {e.format_message()}\n", err=True, fg="red")
        except Exception:  # the app's own code: the help must come all the same
            click.secho(f"{traceback.format_exc()}\n", err=True, fg="red")
        return sorted(names)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: t.Any
    ) -> click.Context:
        # An app.run() at the end of the app's module must not start a server of its own.
        os.environ["FLASK_RUN_FROM_CLI"] = "true"
        if "obj" not in extra and "obj" not in self.context_settings:
            extra["obj"] = ScriptInfo(
                create_app=self.create_app, set_debug_flag=self.set_debug_flag, load_dotenv_defaults=self.load_dotenv
            )
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # --help is eager too and would list the commands before the app's name is known.
        if (not args and self.no_args_is_help) or (len(args) == 1 and args[0] in self.get_help_option_names(ctx)):
            _env_file_option.handle_parse_result(ctx, {}, [])
            _app_option.handle_parse_result(ctx, {}, [])
        return super().parse_args(ctx, args)


def _unavailable_command(name: str, reason: str) -> click.Command:
    """Return what stands for a plugin's command whose own requirements aren't installed: it says so, with code 1."""

    def fail(args: tuple[str, ...]) -> t.NoReturn:
        raise click.ClickException(f"'{name}' cannot be used here: {reason}.")

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    arguments: list[click.Parameter] = [click.Argument(["args"], nargs=-1)]
    help = f"(Not available: {reason}.)"
    return click.Command(name, settings, fail, arguments, help=help, add_help_option=False)


def load_dotenv(path: str | os.PathLike[str] | None = None, load_defaults: bool = True) -> bool:
    """Set the variables of ``.flaskenv``, ``.env`` and ``path``, later ones first, that aren't set yet.

    Returns whether there were any. Mirrors flask 3.1.3 cli.py: load_dotenv.
    """
    try:
        import dotenv
    except ImportError:
        if path or os.path.isfile(".env") or os.path.isfile(".flaskenv"):
            tip = " * Tip: There are .env files present. Install python-dotenv to use them."
            click.secho(tip, fg="yellow", err=True)
        return False
    files: list[str | os.PathLike[str]] = []
    if load_defaults:
        files += filter(None, (dotenv.find_dotenv(name, usecwd=True) for name in (".flaskenv", ".env")))
    if path is not None and os.path.isfile(path):
        files.append(path)
    variables: dict[str, str | None] = {}
    for file in files:
        variables |= dotenv.dotenv_values(file, encoding="utf-8")
    for name, value in variables.items():
        if value is not None:
            os.environ.setdefault(name, value)
    return bool(variables)


def show_server_banner(debug: bool | None, app_import_path: str | None) -> None:
    """Say what is served, once: not again in the process that the reloader starts."""
    if is_running_from_reloader():
        return
    if app_import_path is not None:
        click.echo(f" * Serving Flask app '{app_import_path}'")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")


def warn_about_ignored_run() -> None:
    """Say that ``app.run()`` in a module that a command imported does nothing."""
    if not is_running_from_reloader():
        text = " * Ignoring a call to 'app.run()' that would block the current command.\n"
        click.secho(f"{text}   Guard it with 'if __name__ == \"__main__\"'.", fg="red")


# The commands


class CertParamType(ParamType):
    """The value of ``--cert``: a file, ``adhoc``, or the import name of an SSLContext."""

    name = "path"

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        try:
            import ssl
        except ImportError:
            raise click.BadParameter('"--cert" requires Python with SSL support.', ctx, param) from None
        path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)
        try:
            return path_type(value, param, ctx)
        except click.BadParameter:
            name = click.STRING(value, param, ctx).lower()
            if name == "adhoc":
                try:
                    import cryptography  # noqa: F401
                except ImportError:
                    text = "Using ad-hoc certificates requires the cryptography library."
                    raise click.BadParameter(text, ctx, param) from None
                return name
            context = import_string(name, silent=True)
            if isinstance(context, ssl.SSLContext):
                return context
            raise


def _validate_key(ctx: click.Context, param: click.Parameter, value: t.Any) -> t.Any:
    """Check that ``--key`` and a certificate file come together, and make a pair of them."""
    cert = ctx.params.get("cert")
    is_file = isinstance(cert, str) and cert != "adhoc"
    if value is None:
        if is_file:
            raise click.BadParameter('Required when using "--cert".', ctx, param)
        return None
    if cert == "adhoc":
        raise click.BadParameter('When "--cert" is "adhoc", "--key" is not used.', ctx, param)
    if not cert:
        raise click.BadParameter('"--cert" must also be specified.', ctx, param)
    if not is_file:
        raise click.BadParameter('When "--cert" is an SSLContext object, "--key" is not used.', ctx, param)
    ctx.params["cert"] = cert, value
    return value


class SeparatedPathType(click.Path):
    """Several paths in one value, separated as in PATH."""

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        return [super(SeparatedPathType, self).convert(v, param, ctx) for v in self.split_envvar_value(value)]


@click.command("run", short_help="Run a development server.")
@click.option("--host", "-h", default="127.0.0.1", help="The interface to bind to.")
@click.option("--port", "-p", default=5000, help="The port to bind to.")
@click.option("--cert", type=CertParamType(), is_eager=True, help="A certificate file, to use HTTPS.")
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, resolve_path=True), callback=_validate_key,
    expose_value=False, help="The key file of the certificate.",
)  # fmt: skip
@click.option("--reload/--no-reload", default=None, help="Restart on changed files. By default in debug mode.")
@click.option("--debugger/--no-debugger", default=None, help="The debugger. By default in debug mode.")
@click.option("--with-threads/--without-threads", default=True, help="One thread per request.")
@click.option(
    "--extra-files", type=SeparatedPathType(),
    help=f"More files whose change restarts the server, separated by {os.path.pathsep!r}.",
)  # fmt: skip
@click.option(
    "--exclude-patterns", type=SeparatedPathType(),
    help=f"Files matching these fnmatch patterns don't restart it, separated by {os.path.pathsep!r}.",
)  # fmt: skip
@pass_script_info
def run_command(
    info: ScriptInfo,
    host: str,
    port: int,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: t.Any,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
) -> None:
    """Run a local development server, with reloader and debugger in debug mode.

    It isn't made to be efficient, stable, or secure: see 'wsgi-core serve'.
    """
    debug = get_debug_flag()
    app = _load_app_to_run(info)
    show_server_banner(debug, info.app_import_path)
    run_simple(
        host,
        port,
        app,
        use_reloader=debug if reload is None else reload,
        use_debugger=debug if debugger is None else debugger,
        threaded=with_threads,
        ssl_context=cert,
        extra_files=extra_files,
        exclude_patterns=exclude_patterns,
    )


run_command.params.insert(0, _debug_option)


def _load_app_to_run(info: ScriptInfo) -> t.Any:
    """Return the app; in a reloaded process one that raises what loading raised, until the file is mended."""
    try:
        return info.load_app()
    except Exception as e:
        if not is_running_from_reloader():
            raise e from None
        traceback.print_exc()
        error = e

    def broken_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise error from None

    return broken_app


@click.command("shell", short_help="Run a shell in the app context.")
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python shell in the context of the application."""
    import code

    app = current_app
    banner = f"Python {sys.version} on {sys.platform}\nApp: {app.import_name}\nInstance: {app.instance_path}"
    names: dict[str, t.Any] = {}
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and os.path.isfile(startup):
        with open(startup, encoding="utf-8") as file:
            exec(compile(file.read(), startup, "exec"), names)
    names.update(app.make_shell_context())
    interactive_hook = getattr(sys, "__interactivehook__", None)
    if interactive_hook is not None:
        try:
            import readline
            from rlcompleter import Completer
        except ImportError:
            pass
        else:
            readline.set_completer(Completer(names).complete)
        interactive_hook()
    code.interact(banner=banner, local=names)


@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort", "-s", type=click.Choice(("endpoint", "methods", "domain", "rule", "match")), default="endpoint",
    help="What to sort by. 'match' is the order in which rules are tried.",
)  # fmt: skip
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all registered routes with endpoints and methods."""
    url_map = current_app.url_map
    rules = list(url_map.iter_rules())
    if not rules:
        click.echo("No routes were registered.")
        return
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    columns: dict[str, tuple[str, list[str]]] = {
        "endpoint": ("Endpoint", [rule.endpoint for rule in rules]),
        "methods": ("Methods", [", ".join(sorted((rule.methods or set()) - hidden)) for rule in rules]),
    }
    domains = [(rule.host if url_map.host_matching else rule.subdomain) or "" for rule in rules]
    if any(domains):
        columns["domain"] = ("Host" if url_map.host_matching else "Subdomain", domains)
    columns["rule"] = ("Rule", [rule.rule for rule in rules])

    rows = list(zip(*(cells for _, cells in columns.values()), strict=True))
    if sort in columns:
        rows.sort(key=itemgetter(list(columns).index(sort)))
    headers = tuple(header for header, _ in columns.values())
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in (headers, tuple("-" * width for width in widths), *rows):
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))


# The group alone, for any app; `wsgi-core` adds the project's own commands in __main__.py.
cli = FlaskGroup(name="wsgi-core")
