"""What an App and a Blueprint have in common: routes, hooks, error handlers, and their files.

Nothing happens to a request here: this file fills the tables that the lifecycle reads. In each table the
key None stands for the whole app, a name for a blueprint.
"""

from __future__ import annotations

import os
import typing as t
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property, partial, update_wrapper

from werkzeug.exceptions import HTTPException, default_exceptions

from . import typing as ft
from .context import _cv_app, _cv_request, current_app
from .paths import get_root_path

if t.TYPE_CHECKING:
    from logging import Logger

    from click import Group
    from jinja2 import BaseLoader

    from .config import Config
    from .json import JSONProvider
    from .wrappers import Request, Response

F = t.TypeVar("F", bound=Callable[..., t.Any])
# A decorator of hooks gives back the function with the function's own type.
BeforeRequest = t.TypeVar("BeforeRequest", bound=ft.BeforeRequestCallable)
AfterRequest = t.TypeVar("AfterRequest", bound=ft.AfterRequestCallable[t.Any])
Teardown = t.TypeVar("Teardown", bound=ft.TeardownCallable)
ContextProcessor = t.TypeVar("ContextProcessor", bound=ft.TemplateContextProcessorCallable)
URLValuePreprocessor = t.TypeVar("URLValuePreprocessor", bound=ft.URLValuePreprocessorCallable)
URLDefault = t.TypeVar("URLDefault", bound=ft.URLDefaultCallable)
Folder = str | os.PathLike[str] | None
ErrorHandlers = dict[ft.AppOrBlueprintKey, dict[int | None, dict[type[Exception], ft.ErrorHandlerCallable]]]


# For each scope its functions, in the order of their registration. As in Flask, an app may replace a table by a plain
# dict, so the operations on tables are functions and not methods.
HookTable = dict[ft.AppOrBlueprintKey, list[F]]

# Merged into the app's table of the same name when a blueprint is registered.
HOOK_TABLES = (
    "before_request_funcs", "after_request_funcs", "teardown_request_funcs", "url_value_preprocessors",
    "url_default_functions", "template_context_processors",
)  # fmt: skip


def add_hook(hooks: HookTable[t.Any], f: F) -> F:
    """Append a function for the whole app, and give it back."""
    hooks.setdefault(None, []).append(f)
    return f


def hooks_outermost_first(hooks: Mapping[ft.AppOrBlueprintKey, list[F]], request: Request) -> Sequence[F]:
    """Return the app's functions, then those of the request's blueprints, the outermost first."""
    # PERF: most apps have hooks of their own alone, and no need of the blueprints' names.
    if len(hooks) == 1 and None in hooks:
        return hooks[None]
    return [f for scope in (None, *reversed(request.blueprints)) for f in hooks.get(scope, ())]


class Decorator(t.Protocol):
    """What takes a function and gives it back."""

    def __call__(self, f: F, /) -> F: ...


def decorator_from(use: Callable[[t.Any], object]) -> Decorator:
    """Return a decorator that hands the function to ``use`` and gives it back."""

    def decorator(f: F) -> F:
        use(f)
        return f

    return decorator


def setupmethod(f: F) -> F:
    """Refuse the call once it would come too late to have an effect everywhere."""

    def wrapper(self: Scaffold, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self._check_setup_finished(f.__name__)
        return f(self, *args, **kwargs)

    return t.cast(F, update_wrapper(wrapper, f))


def _endpoint_from_view_func(view_func: ft.RouteCallable | None) -> str:
    assert view_func is not None, "expected view func if endpoint is not provided."
    return view_func.__name__


def _default_template_ctx_processor() -> dict[str, t.Any]:
    """Return ``g`` and ``request`` instead of their proxies. ``session`` stays a proxy, because reading it counts."""
    app_ctx, request_ctx = _cv_app.get(None), _cv_request.get(None)
    values = {} if app_ctx is None else {"g": app_ctx.g}
    return values if request_ctx is None else {**values, "request": request_ctx.request}


class Scaffold:
    """The tables, the decorators that fill them, and the folders. Mirrors flask 3.1.3 sansio/scaffold.py: Scaffold."""

    name: str
    _static_folder: str | None = None
    _static_url_path: str | None = None
    _check_setup_finished: Callable[[str], None]
    add_url_rule: Callable[..., None]

    def __init__(
        self,
        import_name: str,
        static_folder: Folder = None,
        static_url_path: str | None = None,
        template_folder: Folder = None,
        root_path: str | None = None,
    ) -> None:
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        self.template_folder = template_folder
        self.root_path = get_root_path(import_name) if root_path is None else root_path
        self.view_functions: dict[str, ft.RouteCallable] = {}
        # scope -> HTTP code or None -> exception class -> handler
        self.error_handler_spec: ErrorHandlers = defaultdict(lambda: defaultdict(dict))
        self.before_request_funcs: HookTable[ft.BeforeRequestCallable] = defaultdict(list)
        self.after_request_funcs: HookTable[ft.AfterRequestCallable[t.Any]] = defaultdict(list)
        self.teardown_request_funcs: HookTable[ft.TeardownCallable] = defaultdict(list)
        self.url_value_preprocessors: HookTable[ft.URLValuePreprocessorCallable] = defaultdict(list)
        self.url_default_functions: HookTable[ft.URLDefaultCallable] = defaultdict(list)
        self.template_context_processors: HookTable[ft.TemplateContextProcessorCallable] = defaultdict(
            list, {None: [_default_template_ctx_processor]}
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # Routes

    @setupmethod
    def route(self, rule: str, **options: t.Any) -> Decorator:
        """Decorate a view: it answers ``rule``. ``options`` are Werkzeug's ``Rule``'s, and ``methods``."""
        endpoint = options.pop("endpoint", None)
        return decorator_from(lambda f: self.add_url_rule(rule, endpoint, f, **options))

    def _method_route(self, method: str, rule: str, options: dict[str, t.Any]) -> Decorator:
        if "methods" in options:
            raise TypeError("Use the 'route' decorator to use the 'methods' argument.")
        return self.route(rule, methods=[method], **options)

    @setupmethod
    def get(self, rule: str, **options: t.Any) -> Decorator:
        """Register a view for GET, and so for HEAD; otherwise as `route`."""
        return self._method_route("GET", rule, options)

    @setupmethod
    def post(self, rule: str, **options: t.Any) -> Decorator:
        """Register a view for POST; otherwise as `route`."""
        return self._method_route("POST", rule, options)

    @setupmethod
    def put(self, rule: str, **options: t.Any) -> Decorator:
        """Register a view for PUT; otherwise as `route`."""
        return self._method_route("PUT", rule, options)

    @setupmethod
    def delete(self, rule: str, **options: t.Any) -> Decorator:
        """Register a view for DELETE; otherwise as `route`."""
        return self._method_route("DELETE", rule, options)

    @setupmethod
    def patch(self, rule: str, **options: t.Any) -> Decorator:
        """Register a view for PATCH; otherwise as `route`."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def endpoint(self, endpoint: str) -> Decorator:
        """Decorate the view of an endpoint whose rule is added elsewhere."""
        return decorator_from(partial(self.view_functions.__setitem__, endpoint))

    # Hooks

    @setupmethod
    def before_request(self, f: BeforeRequest) -> BeforeRequest:
        """Call ``f()`` before the view; what it returns, if not None, is the answer and ends the search."""
        return add_hook(self.before_request_funcs, f)

    @setupmethod
    def after_request(self, f: AfterRequest) -> AfterRequest:
        """Call ``f(response)`` after the view; it returns the response that goes on. Last in, first called."""
        return add_hook(self.after_request_funcs, f)

    @setupmethod
    def teardown_request(self, f: Teardown) -> Teardown:
        """Call ``f(exc)`` when the request context is popped, with the unhandled error or None."""
        return add_hook(self.teardown_request_funcs, f)

    @setupmethod
    def context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Add what ``f()`` returns, a dict, to every template's variables."""
        return add_hook(self.template_context_processors, f)

    @setupmethod
    def url_value_preprocessor(self, f: URLValuePreprocessor) -> URLValuePreprocessor:
        """Call ``f(endpoint, view_args)`` before the ``before_request`` functions; it may change the dict."""
        return add_hook(self.url_value_preprocessors, f)

    @setupmethod
    def url_defaults(self, f: URLDefault) -> URLDefault:
        """Call ``f(endpoint, values)`` for each URL that is built; it may add values."""
        return add_hook(self.url_default_functions, f)

    # Error handlers

    @setupmethod
    def errorhandler(self, code_or_exception: type[Exception] | int) -> Decorator:
        """Decorate what answers an HTTP status code or an exception class: ``f(error)``, as a view returns."""
        return decorator_from(partial(self.register_error_handler, code_or_exception))

    @setupmethod
    def register_error_handler(self, code_or_exception: type[Exception] | int, f: ft.ErrorHandlerCallable) -> None:
        """Register an error handler without decorating it; otherwise as `errorhandler`.

        Mirrors flask 3.1.3 sansio/scaffold.py: Scaffold.register_error_handler.
        """
        exc_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][exc_class] = f

    @staticmethod
    def _get_exc_class_and_code(code_or_exception: t.Any) -> tuple[type[Exception], int | None]:
        """Return the exception class and, for HTTP errors, the code. ValueError or TypeError for anything else."""
        exc_class = code_or_exception
        if isinstance(exc_class, int):
            if exc_class not in default_exceptions:
                raise ValueError(f"'{exc_class}' is not a recognized HTTP error code. Use a subclass of HTTPException.")
            exc_class = default_exceptions[exc_class]
        only = "Handlers can only be registered for Exception classes or HTTP error codes."
        if isinstance(exc_class, Exception):
            raise TypeError(f"{exc_class!r} is an instance, not a class. {only}")
        if not issubclass(exc_class, Exception):
            raise ValueError(f"'{exc_class.__name__}' is not a subclass of Exception. {only}")
        return exc_class, exc_class.code if issubclass(exc_class, HTTPException) else None

    # Files and commands

    @cached_property
    def cli(self) -> Group:
        """The click group of this object's commands. Click is imported when this is first used."""
        from .cli import AppGroup

        return AppGroup(self.name)

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the static folder; None if there is none."""
        return None if self._static_folder is None else os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: Folder) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip("\\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether a static folder is set (not whether it exists)."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of static files: as set, or else the static folder's name."""
        if self._static_url_path is None and self.static_folder is not None:
            return f"/{os.path.basename(self.static_folder)}".rstrip("/")
        return self._static_url_path

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        """Loads templates from this object's template folder; None if it has none."""
        if self.template_folder is None:
            return None
        from jinja2 import FileSystemLoader

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Return how many seconds a client may cache ``filename``; None: it must ask each time."""
        value: timedelta | int | None = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return int(value.total_seconds()) if isinstance(value, timedelta) else value

    def send_static_file(self, filename: str) -> Response:
        """Return the view of static files. RuntimeError without a static folder."""
        from .helpers import send_from_directory

        if self.static_folder is None:
            raise RuntimeError("'static_folder' must be set to serve static_files.")
        return send_from_directory(self.static_folder, filename, max_age=self.get_send_file_max_age(filename))

    def open_resource(self, resource: str, mode: str = "rb", encoding: str | None = "utf-8") -> t.IO[t.Any]:
        """Open a file relative to `root_path` for reading; ``encoding`` counts in text mode."""
        if mode not in {"r", "rt", "rb"}:
            raise ValueError("Resources can only be opened for reading.")
        path = os.path.join(self.root_path, resource)
        return open(path, mode, encoding=None if mode == "rb" else encoding)


class AppMixin(Scaffold):
    """What the mixins of an `App` know of each other."""

    config: Config
    debug: bool
    testing: t.Any
    json: JSONProvider
    logger: Logger
    response_class: type[Response]
    ensure_sync: Callable[[Callable[..., t.Any]], Callable[..., t.Any]]
    finalize_request: Callable[..., Response]
    url_for: Callable[..., str]
