"""The deadline of a request: the setting `request_timeout`, or the client's X-Request-Timeout if that is shorter."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import BadRequest

from ..inference.work import Work

# The environ key of the time at which the server had received the whole request (time.monotonic()).
RECEIVED = "wsgi_core.received"

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def allowed_seconds(header: str | None, limit: float) -> float:
    """Return the seconds that a request may take: the value of X-Request-Timeout, but at most ``limit``.

    Without the header, return ``limit``. Raises ValueError if the value is not a decimal number above 0, or has more
    than 9 digits before or after the point.
    """
    if header is None:
        return limit
    seconds = float(header) if _SECONDS.fullmatch(header) else 0.0
    if not seconds:
        raise ValueError("X-Request-Timeout must be a number of seconds above 0")
    return min(seconds, limit)


def limit_work(work: Work, environ: Mapping[str, Any], limit: float) -> None:
    """Set `at`, the deadline of a request, and `is_cancelled` in the request's `work`.

    The request may take `limit` seconds, or the seconds in X-Request-Timeout if they are fewer. The seconds count from
    the time at which the server had received the whole request. If the environ does not contain this time, the seconds
    count from now. `is_cancelled` is the function `waitress.client_disconnected` of the environ, or None if the environ
    does not have this key. Raises BadRequest (400) if X-Request-Timeout is not valid.
    """
    header = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if header is not None:
        try:
            limit = allowed_seconds(header, limit)
        except ValueError as error:
            raise BadRequest(str(error)) from None
    work.at = (environ.get(RECEIVED) or time.monotonic()) + limit
    work.is_cancelled = environ.get("waitress.client_disconnected")
