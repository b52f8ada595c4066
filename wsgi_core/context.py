"""Where ``request``, ``g``, ``session`` and ``current_app`` live while a request is served.

Two context variables hold what is current: the application context and the request context. The proxies
look it up at each access, so that one global name means something else in each thread and each task.
A request gets here first: ``App.wsgi_app`` makes a `RequestContext`, pushes it, and pops it at the end.
"""

from __future__ import annotations

import sys
import typing as t
from contextvars import ContextVar
from functools import update_wrapper

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from .lazy import cached_attribute, proxy
from .signals import appcontext_popped, appcontext_pushed

if t.TYPE_CHECKING:
    from werkzeug.routing import MapAdapter

    from .app import App
    from .sessions import SessionMixin
    from .wrappers import Request

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_cv_app: ContextVar[AppContext] = ContextVar("wsgi_core.app_ctx")
_cv_request: ContextVar[RequestContext] = ContextVar("wsgi_core.request_ctx")

# Stands for "no argument": None is an argument, it means that there was no error.
_sentinel: t.Any = object()

_OUTSIDE_APP = """Working outside of application context.

Nothing says which application is meant: no request is being served here and no
context was pushed. Put the code into a "with app.app_context():" block."""

_OUTSIDE_REQUEST = """Working outside of request context.

No HTTP request is being served here. In a test, put the code into a
"with app.test_request_context():" block; for work that leaves the request's
thread, see copy_current_request_context()."""


app_ctx: AppContext = t.cast("AppContext", LocalProxy(_cv_app, unbound_message=_OUTSIDE_APP))
current_app: App = proxy(_cv_app, "app", _OUTSIDE_APP)
g: _AppCtxGlobals = proxy(_cv_app, "g", _OUTSIDE_APP)
request_ctx: RequestContext = t.cast("RequestContext", LocalProxy(_cv_request, unbound_message=_OUTSIDE_REQUEST))
request: Request = proxy(_cv_request, "request", _OUTSIDE_REQUEST)
session: SessionMixin = proxy(_cv_request, "session", _OUTSIDE_REQUEST)


class _AppCtxGlobals:
    """The object behind ``g``: a plain namespace that lives as long as one application context."""

    if t.TYPE_CHECKING:

        def __getattr__(self, name: str) -> t.Any: ...
        def __setattr__(self, name: str, value: t.Any) -> None: ...

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return the attribute ``name``, or ``default`` where it isn't set."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: t.Any = _sentinel) -> t.Any:
        """Take the attribute ``name`` out; KeyError if it isn't set and no default is given."""
        return self.__dict__.pop(name) if default is _sentinel else self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: t.Any = None) -> t.Any:
        """Return the attribute ``name``, set to ``default`` first where it isn't set."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        ctx = _cv_app.get(None)
        return object.__repr__(self) if ctx is None else f"<flask.g of '{ctx.app.name}'>"


class _Context:
    """What both contexts share: ``with`` pushes and pops."""

    # PERF: what the last push left to pop, with the same of the push before as its last item: no list for one push.
    # Each object has its own, because CPython 3.11 is slow to find a default on the class.
    _cv_tokens: t.Any

    push: t.Callable[[], None]
    pop: t.Callable[[BaseException | None], None]

    def __enter__(self) -> t.Self:
        self.push()
        return self

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        self.pop(exc)


class AppContext(_Context):
    """What is current for an application: the app itself and ``g``.

    Mirrors flask 3.1.3 ctx.py: AppContext.
    """

    def __init__(self, app: App) -> None:
        self.app, self._cv_tokens = app, ()
        self.g: _AppCtxGlobals = app.app_ctx_globals_class()

    @cached_attribute
    def url_adapter(self) -> MapAdapter | None:
        """The adapter that builds URLs outside a request; None without ``SERVER_NAME``."""
        return self.app.create_url_adapter(None)

    def push(self) -> None:
        """Make this context the current one. Mirrors flask 3.1.3 ctx.py: AppContext.push."""
        self._cv_tokens = _cv_app.set(self), self._cv_tokens
        if appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Tear down and make the previous context current. Mirrors flask 3.1.3 ctx.py: AppContext.pop."""
        is_last = not self._cv_tokens[1]
        try:
            if is_last:
                if exc is _sentinel:
                    exc = sys.exc_info()[1]
                self.app.do_teardown_appcontext(exc)
        finally:
            ctx = _cv_app.get()
            token, self._cv_tokens = self._cv_tokens
            _cv_app.reset(token)
        if ctx is not self:
            raise AssertionError(f"Popped wrong app context. ({ctx!r} instead of {self!r})")
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app, _async_wrapper=self.app.ensure_sync)


class RequestContext(_Context):
    """What is current for one request: the request, its session, its URL adapter, its late hooks.

    Mirrors flask 3.1.3 ctx.py: RequestContext.
    """

    _session_deferred = False

    def __init__(
        self, app: App, environ: dict[str, t.Any], request: Request | None = None, session: SessionMixin | None = None
    ) -> None:
        self.app, self._cv_tokens = app, ()
        if request is None:
            request = app.request_class(environ)
            request.json_module = app.json
        self.request: Request = request
        self.flashes: list[tuple[str, str]] | None = None
        self._opened_session = session
        self._after_request_functions: list[t.Callable[..., t.Any]] = []
        # PERF: a rule found by its plain path needs no adapter, which costs more than all else here.
        self._static_rule = app.find_static_rule(request)
        if self._static_rule is None:
            _ = self.url_adapter

    @cached_attribute
    def url_adapter(self) -> MapAdapter | None:
        """The adapter that matches and builds URLs for this request; None if the host was refused."""
        try:
            return self.app.create_url_adapter(self.request)
        except HTTPException as e:
            self.request.routing_exception = e
            return None

    def match_request(self) -> None:
        """Find the rule and the view's arguments, or keep the error for the dispatch.

        Mirrors flask 3.1.3 ctx.py: RequestContext.match_request.
        """
        if self._static_rule is not None:
            self.request.url_rule, self.request.view_args = self._static_rule, {}
        elif self.url_adapter is not None:
            try:
                self.request.url_rule, self.request.view_args = self.url_adapter.match(return_rule=True)  # type: ignore[assignment]
            except HTTPException as e:
                self.request.routing_exception = e

    @property
    def _session(self) -> SessionMixin | None:
        """The session, opened now if it has waited; None before the first push. Extensions set it."""
        if self._opened_session is None and self._session_deferred:
            self._open_session()
        return self._opened_session

    @_session.setter
    def _session(self, session: SessionMixin | None) -> None:
        self._opened_session = session

    def _open_session(self) -> None:
        interface = self.app.session_interface
        self._opened_session = interface.open_session(self.app, self.request)
        if self._opened_session is None:
            self._opened_session = interface.make_null_session(self.app)

    @property
    def session(self) -> SessionMixin:
        """The session, from now on counted as accessed: the answer depends on the cookie.

        Mirrors flask 3.1.3 ctx.py: RequestContext.session.
        """
        session = self._session
        assert session is not None, "The session is opened by push(): push the request context first."
        session.accessed = True
        return session

    def copy(self) -> RequestContext:
        """Return a context of the same request, for another thread or greenlet; the session is shared.

        Mirrors flask 3.1.3 ctx.py: RequestContext.copy.
        """
        return type(self)(self.app, self.request.environ, self.request, self._session)

    def push(self) -> None:
        """Push an application context if this app's isn't current, then this one; then open the session
        and match the URL, in this order: a custom session may want to see ``request`` but not its rule.

        Mirrors flask 3.1.3 ctx.py: RequestContext.push.
        """
        current, app_ctx = _cv_app.get(None), None
        if current is None or current.app is not self.app:
            app_ctx = self.app.app_context()
            app_ctx.push()
        self._cv_tokens = _cv_request.set(self), app_ctx, self._cv_tokens
        if self._opened_session is None:
            self._session_deferred = self.app.session_interface.supports_lazy_open(self.app, self.request)
            if not self._session_deferred:
                self._open_session()
        self.match_request()

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Run the request's teardown, then leave both contexts, whatever the teardown raised.

        Mirrors flask 3.1.3 ctx.py: RequestContext.pop.
        """
        clear_request = not self._cv_tokens[2]
        try:
            if clear_request:
                if exc is _sentinel:
                    exc = sys.exc_info()[1]
                self.app.do_teardown_request(exc)
                self.request.close()
        finally:
            ctx = _cv_request.get()
            token, app_ctx, self._cv_tokens = self._cv_tokens
            _cv_request.reset(token)
            if clear_request:
                # The environ refers to the request and the request to the environ: break the circle.
                ctx.request.environ["werkzeug.request"] = None
            if app_ctx is not None:
                app_ctx.pop(exc)
            if ctx is not self:
                raise AssertionError(f"Popped wrong request context. ({ctx!r} instead of {self!r})")

    def __repr__(self) -> str:
        request = self.request
        return f"<{type(self).__name__} {request.url!r} [{request.method}] of {self.app.name}>"


def current_request_context(used: str = "") -> RequestContext:
    """Return the current request context. Raises RuntimeError outside a request, naming the function ``used``."""
    try:
        return _cv_request.get()
    except LookupError:
        only = f"'{used}' can only be used when a request context is active, as in a view function."
        raise RuntimeError(only if used else _OUTSIDE_REQUEST) from None


def after_this_request(f: F) -> F:
    """Call ``f(response)`` once, after this request's view and before the ``after_request`` functions.

    Mirrors flask 3.1.3 ctx.py: after_this_request. Raises RuntimeError outside a request.
    """
    current_request_context("after_this_request")._after_request_functions.append(f)
    return f


def copy_current_request_context(f: F) -> F:
    """Let ``f`` run later, in another thread or greenlet, with this request's contexts around it.

    Mirrors flask 3.1.3 ctx.py: copy_current_request_context. Raises RuntimeError outside a request.
    """
    ctx = current_request_context("copy_current_request_context").copy()

    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        with ctx:
            return ctx.app.ensure_sync(f)(*args, **kwargs)

    return t.cast(F, update_wrapper(wrapper, f))


def has_request_context() -> bool:
    """Return whether ``request`` and ``session`` can be used here."""
    return _cv_request.get(None) is not None


def has_app_context() -> bool:
    """Return whether ``g`` and ``current_app`` can be used here."""
    return _cv_app.get(None) is not None
