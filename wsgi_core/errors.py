"""Which handler answers which exception.

A request gets here when a hook, the view, or the routing raised: an HTTP error or any other exception
becomes a response, by the handlers of its blueprint and of the app, the most specific one first.
"""

from __future__ import annotations

import sys
import typing as t
from types import TracebackType

from werkzeug.exceptions import BadRequest, BadRequestKeyError, HTTPException, InternalServerError
from werkzeug.routing import RoutingException

from . import typing as ft
from .context import current_request_context
from .scaffold import AppMixin
from .signals import got_request_exception

if t.TYPE_CHECKING:
    from .wrappers import Response

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class ErrorHandling(AppMixin):
    """What an `App` does with exceptions."""

    def _find_error_handler(self, e: Exception, blueprints: list[str]) -> ft.ErrorHandlerCallable | None:
        """Return the handler for ``e``: by code before by class alone, blueprint before app, nearest class first.

        Mirrors flask 3.1.3 sansio/app.py: App._find_error_handler.
        """
        code = type(e).code if isinstance(e, HTTPException) else None
        for key in (None,) if code is None else (code, None):
            for scope in (*blueprints, None):
                handlers = self.error_handler_spec[scope][key]
                if handlers:
                    for cls in type(e).__mro__:
                        if (handler := handlers.get(cls)) is not None:
                            return handler
        return None

    def trap_http_exception(self, e: Exception) -> bool:
        """Return whether the configuration wants ``e`` treated as a fault of the app, not as an answer.

        Mirrors flask 3.1.3 sansio/app.py: App.trap_http_exception.
        """
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap_bad_request = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap_bad_request is None:
            return self.debug and isinstance(e, BadRequestKeyError)
        return bool(trap_bad_request) and isinstance(e, BadRequest)

    def handle_http_exception(self, e: HTTPException) -> ft.ResponseReturnValue:
        """Return what the handler for an HTTP error returns; without one the error, which is a response itself.

        Mirrors flask 3.1.3 app.py: Flask.handle_http_exception.
        """
        # A redirect to the canonical URL is no error, nor is an abort(response).
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e, current_request_context().request.blueprints)
        return e if handler is None else self.ensure_sync(handler)(e)

    def handle_user_exception(self, e: Exception) -> ft.ResponseReturnValue:
        """Return what the handler for ``e`` returns; without one ``e`` is raised again, an HTTP error answered.

        Mirrors flask 3.1.3 app.py: Flask.handle_user_exception.
        """
        if isinstance(e, BadRequestKeyError) and (self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]):
            e.show_exception = True
        if isinstance(e, HTTPException) and not self.trap_http_exception(e):
            return self.handle_http_exception(e)
        handler = self._find_error_handler(e, current_request_context().request.blueprints)
        if handler is None:
            raise
        return t.cast(ft.ResponseReturnValue, self.ensure_sync(handler)(e))

    def handle_exception(self, e: Exception) -> Response:
        """Answer an error that no handler took: raise it again where `PROPAGATE_EXCEPTIONS` says so (by
        default in testing and debug mode), else log it and send 500, by the handler for 500 if there is one.

        The signal goes first. Mirrors flask 3.1.3 app.py: Flask.handle_exception.
        """
        exc_info = sys.exc_info()
        if got_request_exception.receivers:
            got_request_exception.send(self, _async_wrapper=self.ensure_sync, exception=e)
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if propagate is None:
            propagate = self.testing or self.debug
        if propagate:
            if exc_info[1] is e:
                raise
            raise e
        self.log_exception(exc_info)
        server_error: t.Any = InternalServerError(original_exception=e)
        handler = self._find_error_handler(server_error, current_request_context().request.blueprints)
        if handler is not None:
            server_error = self.ensure_sync(handler)(server_error)
        return self.finalize_request(server_error, from_error_handler=True)

    def log_exception(self, exc_info: ExcInfo) -> None:
        """Log an unhandled error with its traceback. Mirrors flask 3.1.3 app.py: Flask.log_exception."""
        request = current_request_context().request
        self.logger.error(f"Exception on {request.path} [{request.method}]", exc_info=exc_info)

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Return whether teardown functions shall not see ``error``; for subclasses.

        Mirrors flask 3.1.3 sansio/app.py: App.should_ignore_error.
        """
        return False
