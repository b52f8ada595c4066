"""What the responses that the server makes itself have in common with the application's.

They carry X-Request-ID and, where they are configured, the headers of CORS; they have a line in the access log and
their place in the metrics. Otherwise a browser shows "failed to fetch" in place of a 413.
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

# What a preflight may allow where the server cannot ask the application: the request itself is answered by its route.
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_REFUSED = (429, 503)


class EarlyResponses:
    """Completes the server's own responses."""

    def __init__(self, settings: Settings) -> None:
        self._add_cors = cross_origin(settings.cors_origins) if settings.cors_origins else None

    def complete(self, error: ErrorResponse, environ: Environ) -> tuple[str, Headers, bytes]:
        """Return status, headers and body of a response of the server."""
        body = error.body
        headers = [*error.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if error.code in _REFUSED and self._add_cors is not None and _is_preflight(environ):
            # A preflight that is refused hides the reason: the request that follows it gets the 503.
            return "204 No Content", self.observe(204, [("Allow", _METHODS)], environ), b""
        return error.status, self.observe(error.code, headers, environ), body

    def observed(self, app: WSGIApplication) -> WSGIApplication:
        """Return an application that answers as `app` does, and is observed as the server's own responses are."""

        def observed_app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
                return start_response(status, self.observe(int(status[:3]), list(headers), environ), exc_info)

            return app(environ, start)

        return observed_app

    def observe(self, code: int, headers: Headers, environ: Environ) -> Headers:
        """Count and log a response; return its headers with those that every response has."""
        if any(name.lower() == "x-request-id" for name, _ in headers):
            return headers  # the application has observed it
        observation = Observation(environ)
        process_metrics().active.add(observation)
        headers = [*headers, *observation.answered(code, "")]
        observation.end()
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
