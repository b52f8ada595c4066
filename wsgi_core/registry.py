"""What an App and a Blueprint both take in: routes, hooks, error handlers.

Nothing happens to a request here: this file fills the tables that the lifecycle reads. In each table the
key None stands for the whole app, a name for a blueprint.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial, update_wrapper

from werkzeug.exceptions import HTTPException, default_exceptions

from .context import _cv_app, _cv_request
from .resources import Resources

if t.TYPE_CHECKING:
    from logging import Logger

    from .config import Config
    from .json import JSONProvider
    from .wrappers import Request, Response

View = Callable[..., t.Any]
F = t.TypeVar("F", bound=View)
ErrorHandlers = dict[str | None, dict[int | None, dict[type[Exception], View]]]


class Hooks(defaultdict[str | None, list[View]]):
    """A table of hooks: for each scope its functions, in the order of their registration.

    As in Flask it may be replaced by any other dict; so what is done with it stands beside it.
    """


# A blueprint's go into the app's of the same name.
HOOK_TABLES = (
    "before_request_funcs", "after_request_funcs", "teardown_request_funcs", "url_value_preprocessors",
    "url_default_functions", "template_context_processors",
)  # fmt: skip


def add_hook(hooks: dict[str | None, list[View]], f: F) -> F:
    """Append a function for the whole app, and give it back."""
    hooks.setdefault(None, []).append(f)
    return f


def inwards(hooks: Mapping[str | None, list[View]], request: Request) -> Sequence[View]:
    """The app's functions, then those of the request's blueprints, the outermost first."""
    # PERF: most apps have hooks of their own alone, and no need of the blueprints' names.
    if len(hooks) == 1 and None in hooks:
        return hooks[None]
    return [f for scope in (None, *reversed(request.blueprints)) for f in hooks.get(scope, ())]


class Decorator(t.Protocol):
    """What takes a function and gives it back."""

    def __call__(self, f: F, /) -> F: ...


def decorating(use: Callable[[t.Any], object]) -> Decorator:
    """A decorator that hands the function to ``use`` and gives it back."""

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


def _endpoint_from_view_func(view_func: View | None) -> str:
    assert view_func is not None, "expected view func if endpoint is not provided."
    return view_func.__name__


def _default_template_ctx_processor() -> dict[str, t.Any]:
    """``g`` and ``request`` themselves in place of their proxies. (``session`` stays one: reading it counts.)"""
    app_ctx, request_ctx = _cv_app.get(None), _cv_request.get(None)
    values = {} if app_ctx is None else {"g": app_ctx.g}
    return values if request_ctx is None else {**values, "request": request_ctx.request}


class Scaffold(Resources):
    """The tables, and the decorators that fill them. Mirrors flask 3.1.3 sansio/scaffold.py: Scaffold."""

    _check_setup_finished: Callable[[str], None]
    add_url_rule: Callable[..., None]

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.view_functions: dict[str, View] = {}
        # scope -> HTTP code or None -> exception class -> handler
        self.error_handler_spec: ErrorHandlers = defaultdict(lambda: defaultdict(dict))
        self.before_request_funcs = Hooks(list)
        self.after_request_funcs = Hooks(list)
        self.teardown_request_funcs = Hooks(list)
        self.url_value_preprocessors = Hooks(list)
        self.url_default_functions = Hooks(list)
        self.template_context_processors = Hooks(list, {None: [_default_template_ctx_processor]})

    # Routes

    @setupmethod
    def route(self, rule: str, **options: t.Any) -> Decorator:
        """Decorate a view: it answers ``rule``. ``options`` are Werkzeug's ``Rule``'s, and ``methods``."""
        endpoint = options.pop("endpoint", None)
        return decorating(lambda f: self.add_url_rule(rule, endpoint, f, **options))

    def _method_route(self, method: str, rule: str, options: dict[str, t.Any]) -> Decorator:
        if "methods" in options:
            raise TypeError("Use the 'route' decorator to use the 'methods' argument.")
        return self.route(rule, methods=[method], **options)

    @setupmethod
    def get(self, rule: str, **options: t.Any) -> Decorator:
        """`route` for GET (and so HEAD)."""
        return self._method_route("GET", rule, options)

    @setupmethod
    def post(self, rule: str, **options: t.Any) -> Decorator:
        """`route` for POST."""
        return self._method_route("POST", rule, options)

    @setupmethod
    def put(self, rule: str, **options: t.Any) -> Decorator:
        """`route` for PUT."""
        return self._method_route("PUT", rule, options)

    @setupmethod
    def delete(self, rule: str, **options: t.Any) -> Decorator:
        """`route` for DELETE."""
        return self._method_route("DELETE", rule, options)

    @setupmethod
    def patch(self, rule: str, **options: t.Any) -> Decorator:
        """`route` for PATCH."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def endpoint(self, endpoint: str) -> Decorator:
        """Decorate the view of an endpoint whose rule is added elsewhere."""
        return decorating(partial(self.view_functions.__setitem__, endpoint))

    # Hooks

    @setupmethod
    def before_request(self, f: F) -> F:
        """Call ``f()`` before the view; what it returns, if not None, is the answer and ends the search."""
        return add_hook(self.before_request_funcs, f)

    @setupmethod
    def after_request(self, f: F) -> F:
        """Call ``f(response)`` after the view; it returns the response that goes on. Last in, first called."""
        return add_hook(self.after_request_funcs, f)

    @setupmethod
    def teardown_request(self, f: F) -> F:
        """Call ``f(exc)`` when the request context is popped, with the unhandled error or None."""
        return add_hook(self.teardown_request_funcs, f)

    @setupmethod
    def context_processor(self, f: F) -> F:
        """Add what ``f()`` returns, a dict, to every template's variables."""
        return add_hook(self.template_context_processors, f)

    @setupmethod
    def url_value_preprocessor(self, f: F) -> F:
        """Call ``f(endpoint, view_args)`` before the ``before_request`` functions; it may change the dict."""
        return add_hook(self.url_value_preprocessors, f)

    @setupmethod
    def url_defaults(self, f: F) -> F:
        """Call ``f(endpoint, values)`` for each URL that is built; it may add values."""
        return add_hook(self.url_default_functions, f)

    # Error handlers

    @setupmethod
    def errorhandler(self, code_or_exception: type[Exception] | int) -> Decorator:
        """Decorate what answers an HTTP status code or an exception class: ``f(error)``, as a view returns."""
        return decorating(partial(self.register_error_handler, code_or_exception))

    @setupmethod
    def register_error_handler(self, code_or_exception: type[Exception] | int, f: View) -> None:
        """As `errorhandler`, without decorating.

        Mirrors flask 3.1.3 sansio/scaffold.py: Scaffold.register_error_handler.
        """
        exc_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][exc_class] = f

    @staticmethod
    def _get_exc_class_and_code(code_or_exception: t.Any) -> tuple[type[Exception], int | None]:
        """The exception class and, for HTTP errors, the code. ValueError or TypeError for anything else."""
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


class AppPart(Scaffold):
    """What the parts of an `App` know of each other."""

    config: Config
    debug: bool
    testing: t.Any
    json: JSONProvider
    logger: Logger
    response_class: type[Response]
    ensure_sync: Callable[[View], View]
    finalize_request: Callable[..., Response]
    url_for: Callable[..., str]
