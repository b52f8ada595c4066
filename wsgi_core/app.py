"""The App: a WSGI callable, and the phases that a request passes through in it.

Read `App.wsgi_app` first, then `App.full_dispatch_request` and `App.finalize_request`: that is all. The
other files hold what the phases use.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable, Iterable
from inspect import CO_COROUTINE, iscoroutinefunction
from types import FunctionType

from . import typing as ft
from .base import AppBase
from .context import AppContext, RequestContext, _cv_app, _cv_request, _sentinel, current_request_context
from .scaffold import hooks_outermost_first
from .signals import appcontext_tearing_down, request_finished, request_started, request_tearing_down

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .wrappers import Response


class App(AppBase):
    """The application: its lifecycle. Mirrors flask 3.1.3 app.py: Flask."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; the server calls this (PEP 3333). Wrap `wsgi_app` in middleware, not this."""
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: from the environ to the iterable of body chunks that the server sends.

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

    def app_context(self) -> AppContext:
        """Return an application context, to push with ``with``. Mirrors flask 3.1.3 app.py: Flask.app_context."""
        return AppContext(self)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """Return a request context for an environ. Mirrors flask 3.1.3 app.py: Flask.request_context."""
        return RequestContext(self, environ)

    def full_dispatch_request(self) -> Response:
        """Run hooks, view and error handlers, then finalize the response.

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

    def preprocess_request(self) -> ft.ResponseReturnValue | None:
        """Call URL value preprocessors, then ``before_request`` functions: the app's, then the blueprints' inwards.

        The first value that isn't None is the answer. Mirrors flask 3.1.3 app.py: Flask.preprocess_request.
        """
        if not (self.url_value_preprocessors or self.before_request_funcs):
            return None
        request = current_request_context().request
        if self.url_value_preprocessors:
            for preprocess in hooks_outermost_first(self.url_value_preprocessors, request):
                preprocess(request.endpoint, request.view_args)
        for func in hooks_outermost_first(self.before_request_funcs, request):
            rv: ft.ResponseReturnValue | None = self.ensure_sync(func)()
            if rv is not None:
                return rv
        return None

    def dispatch_request(self) -> ft.ResponseReturnValue:
        """Call the view, or raise what matching the URL found wrong.

        Mirrors flask 3.1.3 app.py: Flask.dispatch_request.
        """
        request = current_request_context().request
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        assert rule is not None
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response()
        view = self.ensure_sync(self.view_functions[rule.endpoint])
        return view(**request.view_args) if request.view_args else view()  # type: ignore[no-any-return]

    def finalize_request(self, rv: ft.ResponseReturnValue, from_error_handler: bool = False) -> Response:
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
        """Call ``after_this_request``, then ``after_request`` functions (the blueprints' outwards, then the app's,
        each the last registered first), then the session is saved.

        Mirrors flask 3.1.3 app.py: Flask.process_response.
        """
        ctx = current_request_context()
        for func in ctx._after_request_functions:
            response = self.ensure_sync(func)(response)
        if self.after_request_funcs:
            for func in reversed(hooks_outermost_first(self.after_request_funcs, ctx.request)):
                response = self.ensure_sync(func)(response)
        # Where nobody has asked for the session it was never opened, and there is nothing to save.
        session = ctx._opened_session
        untouched = session is None and ctx._session_deferred
        if not untouched and not self.session_interface.is_null_session(session):
            self.session_interface.save_session(self, session, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """Call ``teardown_request`` functions with the unhandled error, in the order of `process_response`.

        Mirrors flask 3.1.3 app.py: Flask.do_teardown_request.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        if self.teardown_request_funcs:
            for func in reversed(hooks_outermost_first(self.teardown_request_funcs, current_request_context().request)):
                self.ensure_sync(func)(exc)
        if request_tearing_down.receivers:
            request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """Call ``teardown_appcontext`` functions, the last registered first.

        Mirrors flask 3.1.3 app.py: Flask.do_teardown_appcontext.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        if self.teardown_appcontext_funcs:
            for func in reversed(self.teardown_appcontext_funcs):
                self.ensure_sync(func)(exc)
        if appcontext_tearing_down.receivers:
            appcontext_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def ensure_sync(self, func: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """Return ``func``, or for an ``async def`` a plain function that runs it to its end.

        Mirrors flask 3.1.3 app.py: Flask.ensure_sync.
        """
        # PERF: asking a plain function's flags costs a quarter of iscoroutinefunction.
        plain = type(func) is FunctionType and not func.__code__.co_flags & CO_COROUTINE
        if plain and not hasattr(func, "_is_coroutine_mark"):
            return func
        return self.async_to_sync(func) if iscoroutinefunction(func) else func

    def async_to_sync(self, func: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """Run a coroutine function in an event loop of its own.

        Mirrors flask 3.1.3 app.py: Flask.async_to_sync.
        """
        from asgiref.sync import async_to_sync

        return async_to_sync(func)
