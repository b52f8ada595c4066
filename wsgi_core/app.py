"""The App: a WSGI callable, and the phases that a request passes through in it.

Read `App.wsgi_app` first, then `App.full_dispatch_request` and `App.finalize_request`: that is all. The
other files hold what the phases use.
"""

from __future__ import annotations

import logging
import os
import sys
import typing as t
import weakref
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cached_property
from inspect import iscoroutinefunction
from types import FunctionType

from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import Aborter

from .config import Config, ConfigAttribute
from .context import (
    AppContext,
    RequestContext,
    _AppCtxGlobals,
    _cv_app,
    _cv_request,
    _sentinel,
    g,
)
from .errors import ErrorHandling
from .helpers import get_debug_flag, get_load_dotenv
from .json import DefaultJSONProvider, JSONProvider
from .logging import create_logger
from .registry import F, find_package, setupmethod
from .responses import Responses
from .routing import Routing
from .sessions import SecureCookieSessionInterface, SessionInterface
from .signals import appcontext_tearing_down, request_finished, request_started, request_tearing_down
from .templating import Templating
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .blueprints import Blueprint
    from .testing import FlaskClient, FlaskCliRunner

# The scopes of a request outside all blueprints.
_WHOLE_APP: tuple[str | None, ...] = (None,)

_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE: set in the code of an "async def"


class App(Routing, ErrorHandling, Responses, Templating):
    """The application. Mirrors flask 3.1.3 app.py: Flask."""

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
    permanent_session_lifetime = ConfigAttribute(
        "PERMANENT_SESSION_LIFETIME",
        lambda value: timedelta(seconds=value) if isinstance(value, int) else value,
    )

    default_config: t.Mapping[str, t.Any] = ImmutableDict(
        DEBUG=None,
        TESTING=False,
        PROPAGATE_EXCEPTIONS=None,
        SECRET_KEY=None,
        SECRET_KEY_FALLBACKS=None,
        PERMANENT_SESSION_LIFETIME=timedelta(days=31),
        USE_X_SENDFILE=False,
        TRUSTED_HOSTS=None,
        SERVER_NAME=None,
        APPLICATION_ROOT="/",
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_DOMAIN=None,
        SESSION_COOKIE_PATH=None,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=False,
        SESSION_COOKIE_PARTITIONED=False,
        SESSION_COOKIE_SAMESITE=None,
        SESSION_REFRESH_EACH_REQUEST=True,
        MAX_CONTENT_LENGTH=None,
        MAX_FORM_MEMORY_SIZE=500_000,
        MAX_FORM_PARTS=1_000,
        SEND_FILE_MAX_AGE_DEFAULT=None,
        TRAP_BAD_REQUEST_ERRORS=None,
        TRAP_HTTP_EXCEPTIONS=False,
        EXPLAIN_TEMPLATE_LOADING=False,
        PREFERRED_URL_SCHEME="http",
        TEMPLATES_AUTO_RELOAD=None,
        MAX_COOKIE_SIZE=4093,
        PROVIDE_AUTOMATIC_OPTIONS=True,
    )

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        if instance_path is None:
            instance_path = self.auto_find_instance_path()
        elif not os.path.isabs(instance_path):
            raise ValueError("If an instance path is provided it must be absolute.")
        self.instance_path = instance_path
        self.config = self.make_config(instance_relative_config)
        self.aborter = self.make_aborter()
        self.json = self.json_provider_class(self)
        self.teardown_appcontext_funcs: list[Callable[..., t.Any]] = []
        self.shell_context_processors: list[Callable[[], dict[str, t.Any]]] = []
        self.blueprints: dict[str, Blueprint] = {}
        self.extensions: dict[str, t.Any] = {}
        self._got_first_request = False
        self._init_routing(host_matching, subdomain_matching)
        if self.has_static_folder:
            assert bool(static_host) == host_matching, "Invalid static_host/host_matching combination"
            # The view must not keep the app alive: an app that nobody refers to is freed at once.
            app = weakref.ref(self)
            self.add_url_rule(
                f"{self.static_url_path}/<path:filename>",
                endpoint="static",
                host=static_host,
                view_func=lambda **kw: t.cast(App, app()).send_static_file(**kw),
            )

    # The lifecycle of a request

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333: what the server calls. Middleware goes around `wsgi_app`, so that this stays the App."""
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request, from the environ to the iterable of body chunks that the server sends.

        1. The contexts are pushed: the session is opened, the URL matched.
        2. `full_dispatch_request` makes the response, or an error escapes and `handle_exception` does.
        3. The response announces status and headers and hands over its body.
        4. The contexts are popped: teardown functions run, before the server has sent the body.

        Mirrors flask 3.1.3 app.py: Flask.wsgi_app.
        """
        ctx = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                ctx.push()
                response = self.full_dispatch_request()
            except Exception as e:
                error = e
                response = self.handle_exception(e)
            except BaseException as e:
                error = e
                raise
            return response(environ, start_response)
        finally:
            if "werkzeug.debug.preserve_context" in environ:
                environ["werkzeug.debug.preserve_context"](_cv_app.get())
                environ["werkzeug.debug.preserve_context"](_cv_request.get())
            if error is not None and self.should_ignore_error(error):
                error = None
            ctx.pop(error)

    def full_dispatch_request(self) -> Response:
        """Hooks, view, and error handlers, then the response's own phase.

        Mirrors flask 3.1.3 app.py: Flask.full_dispatch_request.
        """
        self._got_first_request = True
        try:
            if request_started.receivers:
                request_started.send(self, _async_wrapper=self.ensure_sync)
            rv = self.preprocess_request()
            if rv is None:
                rv = self.dispatch_request()
        except Exception as e:
            rv = self.handle_user_exception(e)
        return self.finalize_request(rv)

    def preprocess_request(self) -> t.Any:
        """URL value preprocessors, then ``before_request`` functions: the app's, then the blueprints' inwards.

        The first value that isn't None is the answer. Mirrors flask 3.1.3 app.py: Flask.preprocess_request.
        """
        request = _cv_request.get().request
        blueprints = request.blueprints
        scopes = (None, *reversed(blueprints)) if blueprints else _WHOLE_APP
        for scope in scopes:
            if scope in self.url_value_preprocessors:
                for func in self.url_value_preprocessors[scope]:
                    func(request.endpoint, request.view_args)
        for scope in scopes:
            if scope in self.before_request_funcs:
                for func in self.before_request_funcs[scope]:
                    rv = self.ensure_sync(func)()
                    if rv is not None:
                        return rv
        return None

    def dispatch_request(self) -> t.Any:
        """Call the view, or raise what matching the URL found wrong.

        Mirrors flask 3.1.3 app.py: Flask.dispatch_request.
        """
        request = _cv_request.get().request
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        assert rule is not None
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response()
        return self.ensure_sync(self.view_functions[rule.endpoint])(**request.view_args or {})

    def finalize_request(self, rv: t.Any, from_error_handler: bool = False) -> Response:
        """Make the response of what came back, and let it pass the ``after_request`` functions.

        While a 500 is made, an error in these is logged and the response sent as it is.
        Mirrors flask 3.1.3 app.py: Flask.finalize_request.
        """
        response = self.make_response(rv)
        try:
            response = self.process_response(response)
            if request_finished.receivers:
                request_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        except Exception:
            if not from_error_handler:
                raise
            self.logger.exception("Request finalizing failed with an error while handling an error")
        return response

    def process_response(self, response: Response) -> Response:
        """``after_this_request``, then ``after_request`` functions (the blueprints' outwards, then the app's,
        each the last registered first), then the session is saved.

        Mirrors flask 3.1.3 app.py: Flask.process_response.
        """
        ctx = _cv_request.get()
        for func in ctx._after_request_functions:
            response = self.ensure_sync(func)(response)
        blueprints = ctx.request.blueprints
        for scope in (*blueprints, None) if blueprints else _WHOLE_APP:
            if scope in self.after_request_funcs:
                for func in reversed(self.after_request_funcs[scope]):
                    response = self.ensure_sync(func)(response)
        session = ctx._opened_session
        if session is not None and not self.session_interface.is_null_session(session):
            self.session_interface.save_session(self, session, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """``teardown_request`` functions, in the order of `process_response`, with the unhandled error.

        Mirrors flask 3.1.3 app.py: Flask.do_teardown_request.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        blueprints = _cv_request.get().request.blueprints
        for scope in (*blueprints, None) if blueprints else _WHOLE_APP:
            if scope in self.teardown_request_funcs:
                for func in reversed(self.teardown_request_funcs[scope]):
                    self.ensure_sync(func)(exc)
        if request_tearing_down.receivers:
            request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """``teardown_appcontext`` functions, the last registered first.

        Mirrors flask 3.1.3 app.py: Flask.do_teardown_appcontext.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        for func in reversed(self.teardown_appcontext_funcs):
            self.ensure_sync(func)(exc)
        if appcontext_tearing_down.receivers:
            appcontext_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def ensure_sync(self, func: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """``func`` itself, or, if it is an ``async def``, a plain function that runs it to its end."""
        # PERF: asking a plain function's flags costs a quarter of iscoroutinefunction.
        if (
            type(func) is FunctionType
            and not func.__code__.co_flags & _CO_COROUTINE
            and not hasattr(func, "_is_coroutine_mark")
        ):
            return func
        return self.async_to_sync(func) if iscoroutinefunction(func) else func

    def async_to_sync(self, func: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """Run a coroutine function in an event loop of its own; RuntimeError without asgiref."""
        try:
            from asgiref.sync import async_to_sync
        except ImportError:
            raise RuntimeError("Install asgiref (the 'async' extra) in order to use async views.") from None
        return async_to_sync(func)

    # Contexts

    def app_context(self) -> AppContext:
        """An application context, to push with ``with``."""
        return AppContext(self)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """A request context for an environ."""
        return RequestContext(self, environ)

    def test_request_context(self, *args: t.Any, **kwargs: t.Any) -> RequestContext:
        """A request context for a made-up request; the arguments are `testing.EnvironBuilder`'s."""
        from .testing import EnvironBuilder

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    def test_client(self, use_cookies: bool = True, **kwargs: t.Any) -> FlaskClient:
        """A client that calls this app without a server."""
        from .testing import FlaskClient

        client_class = self.test_client_class or FlaskClient
        return client_class(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: t.Any) -> FlaskCliRunner:
        """A runner for this app's commands."""
        from .testing import FlaskCliRunner

        return (self.test_cli_runner_class or FlaskCliRunner)(self, **kwargs)

    # Set-up

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the application. It has already"
                " handled its first request, any changes will not be applied consistently.\n"
                "Do all that sets the application up before you run it."
            )

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
        return create_logger(self)

    @property
    def debug(self) -> bool:
        """Whether errors reach the debugger and templates are reloaded; ``config["DEBUG"]``."""
        return t.cast(bool, self.config["DEBUG"])

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        # An environment not made yet will read the configuration when it is.
        if self.config["TEMPLATES_AUTO_RELOAD"] is None and "jinja_env" in self.__dict__:
            self.jinja_env.auto_reload = value

    def make_config(self, instance_relative: bool = False) -> Config:
        """The configuration: defaults, and debug mode as the environment says."""
        root_path = self.instance_path if instance_relative else self.root_path
        return self.config_class(root_path, {**self.default_config, "DEBUG": get_debug_flag()})

    def make_aborter(self) -> Aborter:
        """What `abort` calls; for subclasses."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """The folder for files of this installation: beside the package, or under an installed one's prefix."""
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
        blueprint.register(self, options)

    def iter_blueprints(self) -> t.ValuesView[Blueprint]:
        """The blueprints in the order of their registration."""
        return self.blueprints.values()

    @setupmethod
    def teardown_appcontext(self, f: F) -> F:
        """Call ``f(exc)`` when an application context is popped."""
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(self, f: F) -> F:
        """Add what ``f()`` returns, a dict, to the names of the shell."""
        self.shell_context_processors.append(f)
        return f

    def make_shell_context(self) -> dict[str, t.Any]:
        """The names of the shell."""
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
            run_simple(
                host or name or "127.0.0.1",
                int(port if port is not None else name_port or 5000),
                self,
                **options,
            )
        finally:
            # The reloader may have let this process answer; it starts over with a new set-up.
            self._got_first_request = False
