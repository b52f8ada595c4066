"""What an App is before a request comes: its configuration, its folders, its name, and ways to call it.

The class chain, with the file of each class, its part, and its counterpart in Flask:

    App                            app.py       the lifecycle           flask.app.Flask
      AppBase                      base.py      configuration, set-up   flask.sansio.app.App
        Routing, ErrorHandling,    one file     one phase each          parts of both
        Responses, Templating      each
          Scaffold                 scaffold.py  tables and decorators   flask.sansio.scaffold.Scaffold

A Blueprint is a Scaffold too. `AppMixin`, at the end of scaffold.py, declares what the four mixins know of each other.
"""

from __future__ import annotations

import logging
import os
import sys
import typing as t
import weakref
from contextlib import closing
from datetime import timedelta
from functools import cached_property

from werkzeug.exceptions import Aborter

from . import typing as ft
from .config import DEFAULT_CONFIG, Config, ConfigAttribute
from .context import RequestContext, _AppCtxGlobals, g
from .errors import ErrorHandling
from .helpers import get_debug_flag, get_load_dotenv
from .json import DefaultJSONProvider, JSONProvider
from .logging import create_logger
from .paths import find_package
from .responses import Responses
from .routing import Routing
from .scaffold import Folder, Teardown, setupmethod
from .sessions import SecureCookieSessionInterface, SessionInterface
from .templating import Templating
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    from .app import App
    from .blueprints import Blueprint
    from .testing import FlaskClient, FlaskCliRunner

ShellContextProcessor = t.TypeVar("ShellContextProcessor", bound=ft.ShellContextProcessorCallable)


def _make_timedelta(value: timedelta | float | None) -> timedelta | None:
    return value if value is None or isinstance(value, timedelta) else timedelta(seconds=value)


class AppBase(Routing, ErrorHandling, Responses, Templating):
    """Everything of `App` but the lifecycle. Mirrors flask 3.1.3 sansio/app.py: App."""

    request_class: type[Request] = Request
    response_class: type[Response] = Response
    session_interface: SessionInterface = SecureCookieSessionInterface()
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    aborter_class = Aborter
    app_ctx_globals_class = _AppCtxGlobals
    config_class = Config
    test_client_class: type[FlaskClient] | None = None
    test_cli_runner_class: type[FlaskCliRunner] | None = None

    testing = ConfigAttribute("TESTING")
    secret_key = ConfigAttribute("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute("PERMANENT_SESSION_LIFETIME", _make_timedelta)

    default_config: t.Mapping[str, t.Any] = DEFAULT_CONFIG

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: Folder = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: Folder = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        if instance_path is not None and not os.path.isabs(instance_path):
            raise ValueError("If an instance path is provided it must be absolute.")
        self.instance_path = self.auto_find_instance_path() if instance_path is None else instance_path
        self.config = self.make_config(instance_relative_config)
        self.aborter = self.make_aborter()
        self.json = self.json_provider_class(t.cast("App", self))
        self.teardown_appcontext_funcs: list[ft.TeardownCallable] = []
        self.shell_context_processors: list[ft.ShellContextProcessorCallable] = []
        self.blueprints: dict[str, Blueprint] = {}
        self.extensions: dict[str, t.Any] = {}
        self._got_first_request = False
        self._init_routing(host_matching, subdomain_matching)
        if self.has_static_folder:
            assert bool(static_host) == host_matching, "Invalid static_host/host_matching combination"
            # The view must not keep the app alive: an app that nobody refers to is freed at once.
            app = weakref.ref(self)

            def view(**kwargs: t.Any) -> Response:
                return t.cast(AppBase, app()).send_static_file(**kwargs)

            self.add_url_rule(f"{self.static_url_path}/<path:filename>", "static", view, host=static_host)

    # Ways to call it

    def test_request_context(self, *args: t.Any, **kwargs: t.Any) -> RequestContext:
        """Return a request context for a made-up request; the arguments are `testing.EnvironBuilder`'s."""
        from .testing import EnvironBuilder

        with closing(EnvironBuilder(t.cast("App", self), *args, **kwargs)) as builder:
            return t.cast("App", self).request_context(builder.get_environ())

    def test_client(self, use_cookies: bool = True, **kwargs: t.Any) -> FlaskClient:
        """Return a client that calls this app without a server."""
        from .testing import FlaskClient

        client_class = self.test_client_class or FlaskClient
        return client_class(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: t.Any) -> FlaskCliRunner:
        """Return a runner for this app's commands."""
        from .testing import FlaskCliRunner

        return (self.test_cli_runner_class or FlaskCliRunner)(t.cast("App", self), **kwargs)

    # Set-up

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            too_late = "It has already handled its first request, and any changes will not be applied consistently."
            raise AssertionError(f"The setup method '{f_name}' can no longer be called on the application. {too_late}")

    @cached_property
    def name(self) -> str:  # type: ignore[override]
        """The import name, or, of a script, its file's name."""
        file: str | None = getattr(sys.modules["__main__"], "__file__", None)
        if self.import_name != "__main__" or file is None:
            return self.import_name
        return os.path.splitext(os.path.basename(file))[0]

    @cached_property
    def logger(self) -> logging.Logger:  # type: ignore[override]
        """The logger of the app's name."""
        return create_logger(t.cast("App", self))

    @property
    def debug(self) -> bool:
        """Whether errors reach the debugger and templates are reloaded; ``config["DEBUG"]``."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        # An environment not made yet will read the configuration when it is.
        if self.config["TEMPLATES_AUTO_RELOAD"] is None and "jinja_env" in self.__dict__:
            self.jinja_env.auto_reload = value

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the configuration: defaults, and debug mode as the environment says."""
        root_path = self.instance_path if instance_relative else self.root_path
        return self.config_class(root_path, {**self.default_config, "DEBUG": get_debug_flag()})

    def make_aborter(self) -> Aborter:
        """Return what `abort` calls; for subclasses."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """Return the folder for files of this installation: beside the package, or under an installed one's prefix."""
        prefix, package_path = find_package(self.import_name)
        if prefix is None:
            return os.path.join(package_path, "instance")
        return os.path.join(prefix, "var", f"{self.name}-instance")

    def open_instance_resource(self, resource: str, mode: str = "rb", encoding: str | None = "utf-8") -> t.IO[t.Any]:
        """Open a file in the instance folder; ``encoding`` counts in text mode."""
        path = os.path.join(self.instance_path, resource)
        return open(path, mode, encoding=None if "b" in mode else encoding)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Register a blueprint; the options (``url_prefix``, ``name``, ...) go before its own."""
        blueprint.register(t.cast("App", self), options)

    def iter_blueprints(self) -> t.ValuesView[Blueprint]:
        """Return the blueprints in the order of their registration."""
        return self.blueprints.values()

    @setupmethod
    def teardown_appcontext(self, f: Teardown) -> Teardown:
        """Call ``f(exc)`` when an application context is popped."""
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(self, f: ShellContextProcessor) -> ShellContextProcessor:
        """Add what ``f()`` returns, a dict, to the names of the shell."""
        self.shell_context_processors.append(f)
        return f

    def make_shell_context(self) -> dict[str, t.Any]:
        """Return the names of the shell."""
        names: dict[str, t.Any] = {"app": self, "g": g}
        for processor in self.shell_context_processors:
            names.update(processor())
        return names

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: t.Any,
    ) -> None:
        """Serve with Werkzeug's development server. For anything but development, see ``wsgi-core serve``.

        Mirrors flask 3.1.3 app.py: Flask.run.
        """
        from . import cli

        if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
            cli.warn_about_ignored_run()
            return
        if get_load_dotenv(load_dotenv):
            cli.load_dotenv()
            if "FLASK_DEBUG" in os.environ:
                self.debug = get_debug_flag()
        if debug is not None:
            self.debug = bool(debug)
        name, _, name_port = (self.config["SERVER_NAME"] or "").partition(":")
        options = {"use_reloader": self.debug, "use_debugger": self.debug, "threaded": True} | options
        cli.show_server_banner(self.debug, self.name)
        # Looked up at the call, as Flask does, so that it can be replaced in tests.
        from werkzeug.serving import run_simple

        try:
            port = int(port if port or port == 0 else name_port or 5000)
            run_simple(host or name or "127.0.0.1", port, t.cast("App", self), **options)
        finally:
            # The reloader may have let this process answer; it starts over with a new set-up.
            self._got_first_request = False
