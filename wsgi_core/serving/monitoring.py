"""Middleware that adds request ids, metrics, an access log and health checks to any WSGI application."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Iterator

from ..shared.observability import begin_request, observed_request
from ..shared.observability.metrics import render
from ..shared.observability.observation import Observation
from ..shared.readiness import Readiness
from ..shared.settings import Settings

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "wsgi_core.route"
"""The key in the environ under which an application may store the matched path template, such as `/users/<id>`."""


class MonitoredApplication:
    """WSGI middleware that monitors any application.

    The middleware itself answers the requests to `settings.health_path` and `settings.metrics_path`. The other
    responses get the headers of `Observation.set_response`, such as X-Request-ID, unless the application has set the
    header.
    """

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self.app = app
        self.extensions: dict[str, t.Any] = {"settings": settings, "readiness": Readiness()}
        own = {settings.health_path: self._health, settings.metrics_path: self._metrics}
        self._own: dict[str | None, WSGIApplication] = {path: view for path, view in own.items() if path}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if own := self._own.get(environ.get("PATH_INFO")):
            return own(environ, start_response)
        begin_request(environ)
        observed = observed_request()
        assert observed is not None
        # The response is complete when the server closes the body, which may be after this call.
        observed.streamed = True

        def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> Callable[[bytes], object]:
            extra = observed.set_response(int(status[:3]), route(environ))
            given = {name.lower() for name, _ in headers}
            headers = [*headers, *(header for header in extra if header[0].lower() not in given)]
            return start_response(status, headers, exc_info)

        try:
            body = self.app(environ, start)
            # The server handles these types specially, so they must not be wrapped.
            if not isinstance(body, (list, tuple, environ.get("wsgi.file_wrapper", list))):
                return _ObservedBody(body, observed)
        except BaseException:
            observed.finish()
            raise
        finally:
            observed.deactivate()
        observed.finish()
        return body

    def _health(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer GET and HEAD with 200 until the server begins to stop, and with 503 afterwards."""
        if self.extensions["readiness"].ready:
            return _respond(environ, start_response, "200 OK", b"ok", "text/plain")
        return _respond(environ, start_response, "503 Service Unavailable", b"stopping", "text/plain")

    def _metrics(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body, content_type = render(environ.get("HTTP_ACCEPT", ""), self.extensions.get("server"))
        return _respond(environ, start_response, "200 OK", body, content_type)


class _ObservedBody:
    """Wraps the application's response body. When the server closes the body, the request is counted and logged."""

    def __init__(self, body: Iterable[bytes], observed: Observation) -> None:
        self._body = body
        self._pieces = iter(body)
        self._observed = observed

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Close the application's body. Then count and log the request, even if closing raises an exception."""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._observed.finish()


def route(environ: WSGIEnvironment) -> str:
    """Return the matched path template, such as `/users/<id>`, or an empty string if the application does not provide
    it.

    The template comes from `ROUTE` in the environ, or from the objects that Flask and Bottle store in the environ.
    """
    if template := environ.get(ROUTE):
        return str(template)
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None) or environ.get("bottle.route")
    return str(getattr(rule, "rule", ""))


def _respond(
    environ: WSGIEnvironment, start_response: StartResponse, status: str, body: bytes, content_type: str
) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        status, body = "405 Method Not Allowed", b""
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(status, headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
