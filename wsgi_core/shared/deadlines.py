"""The deadline of a request, from the setting `request_timeout` and the request header X-Request-Timeout."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import BadRequest

from ..inference.work import Work

# The environ key of the time (time.monotonic()) at which the server had received the whole request.
RECEIVED = "wsgi_core.received"

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def allowed_seconds(header: str | None, limit: float) -> float:
    """Return `header`, the value of X-Request-Timeout in seconds, but at most `limit`.

    If `header` is None, return `limit`. Raises ValueError if the value is not a number above 0 such as `2` or `0.5`, or
    has more than 9 digits before or after the point.
    """
    if header is None:
        return limit
    seconds = float(header) if _SECONDS.fullmatch(header) else 0.0
    if not seconds:
        raise ValueError(
            "X-Request-Timeout must be a number of seconds above 0, with at most 9 digits before and after the point"
        )
    return min(seconds, limit)


def limit_work(work: Work, environ: Mapping[str, Any], limit: float) -> None:
    """Set `at`, the deadline of a request, and `is_cancelled` in the request's `work`.

    The request may take `limit` seconds, or fewer if X-Request-Timeout says so. This time starts when the server has
    received the whole request, or now if the environ has no `RECEIVED`. `is_cancelled` is the environ's
    `waitress.client_disconnected`, or None. Raises BadRequest (400) if X-Request-Timeout is not valid.
    """
    header = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if header is not None:
        try:
            limit = allowed_seconds(header, limit)
        except ValueError as error:
            raise BadRequest(str(error)) from None
    work.at = (environ.get(RECEIVED) or time.monotonic()) + limit
    work.is_cancelled = environ.get("waitress.client_disconnected")
