"""From a view's return value to a Response.

A request gets here after its view, a ``before_request`` function or an error handler has answered. What is
allowed: text, bytes, a dict or list (JSON), an iterator (streamed), a Response, a WSGI callable, and a tuple
of one of these with a status, headers, or both.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.utils import redirect as _redirect
from werkzeug.wrappers import Response as BaseResponse

from . import typing as ft
from .context import current_request_context
from .scaffold import AppMixin
from .wrappers import Response

_BODY_TYPES = (str, bytes, bytearray, Iterator)
_NOT_A_RESPONSE = (
    "The view function did not return a valid response. The return type must be a string, dict, list, tuple"
    " with headers or status, Response instance, or WSGI callable, but it was a {}."
)


def _split_tuple(rv: tuple[t.Any, ...]) -> tuple[t.Any, t.Any, t.Any]:
    """Return body, status and headers of a tuple. The second of a pair is the headers if it cannot be a status."""
    match rv:
        case (body, status, headers):
            return body, status, headers
        case (body, Headers() | dict() | tuple() | list() as headers):
            return body, None, headers
        case (body, status):
            return body, status, None
    raise TypeError(
        "The view function did not return a valid response tuple. The tuple must have the form"
        " (body, status, headers), (body, status), or (body, headers)."
    )


_force_type: t.Any = BaseResponse.force_type
_PAGE_STEPS = ("__call__", "get_response", "get_headers", "get_body", "get_description", "name")
_page_steps = attrgetter(*_PAGE_STEPS)


@lru_cache(maxsize=64)
def _has_usual_page(kind: type) -> bool:
    """Return whether ``kind`` is an HTTP error whose page Werkzeug makes of its code and description alone."""
    return issubclass(kind, HTTPException) and _page_steps(kind) == _page_steps(HTTPException)


@lru_cache(maxsize=64)
def _page(code: int, description: str | None) -> str:
    """Return Werkzeug's page for an HTTP error."""
    error = HTTPException(description)
    error.code = code
    return error.get_body()


class Responses(AppMixin):
    """What an `App` does with a view's return value."""

    def make_response(self, rv: ft.ResponseReturnValue) -> Response:
        """Return the response that ``rv`` stands for; TypeError if it stands for none.

        Mirrors flask 3.1.3 app.py: Flask.make_response.
        """
        if isinstance(rv, self.response_class):
            return rv
        status = headers = None
        if isinstance(rv, tuple):
            rv, status, headers = _split_tuple(rv)
        if rv is None:
            raise TypeError(
                f"The view function for {current_request_context().request.endpoint!r} did not return a valid"
                " response. The function either returned None or ended without a return statement."
            )
        if type(rv) is not dict and isinstance(rv, _BODY_TYPES):
            # PERF: CPython makes a dict of a class' keyword arguments. Only a subclass may need them.
            if self.response_class is Response:
                return Response(rv, status, headers)
            return self.response_class(rv, status=status, headers=headers)
        response = rv if isinstance(rv, self.response_class) else self._convert(rv)
        if isinstance(status, (str, bytes, bytearray)):
            response.status = status  # type: ignore[assignment]
        elif status is not None:
            response.status_code = status
        if headers:
            response.headers.update(headers)
        return response

    def _convert(self, rv: t.Any) -> Response:
        if isinstance(rv, (dict, list)):
            return self.json.response(rv)
        if not isinstance(rv, BaseResponse) and not callable(rv):
            raise TypeError(_NOT_A_RESPONSE.format(type(rv).__name__))
        environ = current_request_context().request.environ
        # PERF: force_type would run an HTTP error as an application, which makes the same page each time.
        if (
            _has_usual_page(type(rv))  # type: ignore[arg-type]
            and vars(rv).keys().isdisjoint(_PAGE_STEPS)
            and rv.response is None
            and (rv.code or 0) >= 400
            and (rv.description is None or type(rv.description) is str)
            and self.response_class.force_type.__func__ is _force_type.__func__  # type: ignore[attr-defined]
            and environ["REQUEST_METHOD"] != "HEAD"
        ):
            rv = Response(_page(rv.code, rv.description), rv.code, None, "text/html")
        try:
            return self.response_class.force_type(rv, environ)  # type: ignore[return-value]
        except TypeError as e:
            message = f"{e}\n{_NOT_A_RESPONSE.format(type(rv).__name__)}"
            raise TypeError(message).with_traceback(sys.exc_info()[2]) from None

    def make_default_options_response(self) -> Response:
        """Return the answer to an automatic OPTIONS: which methods the URL allows.

        Mirrors flask 3.1.3 app.py: Flask.make_default_options_response.
        """
        adapter = current_request_context().url_adapter
        assert adapter is not None
        response = self.response_class()
        response.allow.update(adapter.allowed_methods())
        return response

    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """Return a redirect to ``location``."""
        return _redirect(location, code, self.response_class)
