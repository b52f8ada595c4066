"""The checks that the server makes before it reads a request's body."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from werkzeug.exceptions import HTTPException, UnsupportedMediaType
from werkzeug.http import parse_options_header
from werkzeug.routing import Map

from .access import WEBHOOKS, Check
from .content_coding import known_coding
from .streaming import LINE_TYPES
from .webhooks import is_signed, unsigned

JSON_RULES = frozenset({"/predict", "/api/v1/predict", "/sentiment", "/digits", "/rag-chat"})
"""The URL rules whose views accept only JSON."""

STREAM_RULE = "/predict/stream"

_BODY_TYPES = ("", "application/octet-stream")

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Application(Protocol):
    """The part of an application that `HeadCheck` uses."""

    url_map: Map

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request (PEP 3333)."""


class HeadCheck:
    """Checks a request head: host, API key, origin, route, method, content type, content coding, signature header.

    The checks do not block, and need no `wsgi.input` in the environ.
    """

    def __init__(self, app: Application, check: Check) -> None:
        self._app = app
        self._check = check

    def __call__(self, environ: dict[str, Any]) -> WSGIApplication | None:
        """Return None if the request passes the checks, otherwise a WSGI application.

        This application passes the request with an empty body to the service, which refuses, logs and counts the
        request.
        """
        try:
            self._check(environ)
            rule, _ = self._app.url_map.bind_to_environ(environ).match(return_rule=True)
            check_body(rule.rule, environ)
        except HTTPException:
            return self._refuse
        return None

    def _refuse(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        without_body = {**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        response: Iterable[bytes] = self._app.wsgi_app(without_body, start_response)
        return response


def check_body(rule: str, environ: Mapping[str, Any]) -> None:
    """Check the headers that describe the body, for the view of the URL rule `rule`.

    Raises UnsupportedMediaType (415) if the view does not accept the content type or the content coding. Raises
    Unauthorized (401) if a webhook has no signature header. Below /v2/, only POST is checked, because other views there
    read no body.
    """
    mimetype = parse_options_header(environ.get("CONTENT_TYPE", ""))[0].lower()
    is_json = mimetype == "application/json" or (mimetype.startswith("application/") and mimetype.endswith("+json"))
    if rule in JSON_RULES and not is_json:
        raise UnsupportedMediaType()
    if rule == STREAM_RULE and mimetype not in LINE_TYPES:
        raise UnsupportedMediaType()
    if rule.startswith("/v2/") and environ["REQUEST_METHOD"] == "POST":
        if not is_json and mimetype not in _BODY_TYPES:
            raise UnsupportedMediaType()
        known_coding(environ.get("HTTP_CONTENT_ENCODING", ""))
    if rule.startswith(WEBHOOKS) and not is_signed(environ):
        raise unsigned()
