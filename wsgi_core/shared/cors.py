"""CORS headers, which allow pages of other origins to call the service from a browser (Fetch standard).

The header Access-Control-Allow-Credentials is never sent. So a page of another origin cannot read responses to requests
with the browser's cookies or password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from werkzeug.datastructures import Headers

EXPOSED = "Retry-After, Server-Timing, X-Request-ID, X-Response-Time-ms"
"""The response headers that a page of another origin may read, in addition to the CORS-safelisted headers."""

MAX_AGE = "600"
"""Seconds for which a browser may cache the response to a preflight."""

_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?: ?, ?[A-Za-z0-9!#$%&'*+.^_`|~-]+)*", re.ASCII)


def cross_origin(origins: Collection[str]) -> Callable[[Mapping[str, Any], Headers], None]:
    """Return a function that takes an environ and a response's headers, and adds the CORS headers to the response.

    An origin is written as browsers send it, such as `https://app.example.org`. `*` in `origins` allows every origin.
    """
    any_origin = "*" in origins

    def add_headers(environ: Mapping[str, Any], headers: Headers) -> None:
        if not any_origin:
            headers.add("Vary", "Origin")  # also if the origin is not allowed: a cache must not reuse the response
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not (any_origin or origin in origins):
            return
        headers["Access-Control-Allow-Origin"] = "*" if any_origin else origin
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            _answer_preflight(environ, headers)
        else:
            headers["Access-Control-Expose-Headers"] = EXPOSED

    return add_headers


def _answer_preflight(environ: Mapping[str, Any], headers: Headers) -> None:
    """Allow the methods of the response's Allow header, and all request headers that the preflight names.

    If the list of request headers has more than 1000 characters or is malformed, allow no request headers.
    """
    headers["Access-Control-Allow-Methods"] = ", ".join(sorted(headers.get("Allow", "GET").split(", ")))
    headers["Access-Control-Max-Age"] = MAX_AGE
    requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    if len(requested) <= 1000 and _NAMES.fullmatch(requested):
        headers["Access-Control-Allow-Headers"] = requested
