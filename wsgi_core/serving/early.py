"""Completes early responses: the responses that the server sends without a call of the application.

They are the server's error responses and the responses of `check_head`, which rejects requests before their bodies are
read. This module adds their monitoring and CORS headers, counts the responses and logs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from werkzeug.datastructures import Headers as WerkzeugHeaders

from ..shared.cors import cross_origin
from ..shared.observability.metrics import process_metrics
from ..shared.observability.observation import Observation
from ..shared.settings import Settings
from .errors import ErrorResponse, Headers
from .protocols import Environ, StartResponse, WSGIApplication

# The methods that a preflight response allows if the server does not call the application. The application still
# checks the method of the actual request.
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_REFUSED = (429, 503)


class EarlyResponses:
    """Adds monitoring and CORS headers to early responses. Counts and logs these responses."""

    def __init__(self, settings: Settings) -> None:
        self._add_cors = cross_origin(settings.cors_origins) if settings.cors_origins else None

    def complete(self, error: ErrorResponse, environ: Environ) -> tuple[str, Headers, bytes]:
        """Return the status, the headers and the body of the response for `error`.

        If CORS is configured, a preflight gets a 204 in place of a 429 or 503.
        """
        body = error.body
        headers = [*error.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if error.code in _REFUSED and self._add_cors is not None and _is_preflight(environ):
            # If a preflight fails, the page cannot read the reason. So only the actual request is refused.
            return "204 No Content", self.observe(204, [("Allow", _METHODS)], environ), b""
        return error.status, self.observe(error.code, headers, environ), body

    def observed(self, app: WSGIApplication) -> WSGIApplication:
        """Return a WSGI application that calls `app` and passes the headers of its response through `observe`."""

        def observed_app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
                return start_response(status, self.observe(int(status[:3]), list(headers), environ), exc_info)

            return app(environ, start)

        return observed_app

    def observe(self, code: int, headers: Headers, environ: Environ) -> Headers:
        """Count and log a response. Return `headers` with monitoring headers and, if configured, CORS headers.

        If `headers` has X-Request-ID, return `headers` unchanged, because the response is already counted and logged.
        """
        if any(name.lower() == "x-request-id" for name, _ in headers):
            return headers  # the response has already been counted and logged
        observation = Observation(environ)
        process_metrics().active.add(observation)
        headers = [*headers, *observation.set_response(code, "")]
        observation.finish()
        if self._add_cors is None:
            return headers
        changed = WerkzeugHeaders(headers)
        self._add_cors(environ, changed)
        return list(changed)


def _is_preflight(environ: Environ) -> bool:
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )
