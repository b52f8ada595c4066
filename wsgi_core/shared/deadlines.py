"""The deadline of a request: the setting `request_timeout`, or the client's X-Request-Timeout if that is shorter."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import BadRequest

from ..inference.work import Work

# The environ key under which a server may store the time at which the request was complete (time.monotonic()).
RECEIVED = "wsgi_core.received"

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def allowed_seconds(header: str | None, limit: float) -> float:
    """Return the seconds that a request may take: the header's value, but at most ``limit``.

    Raises ValueError if the header is not a decimal number above 0.
    """
    if header is None:
        return limit
    seconds = float(header) if _SECONDS.fullmatch(header) else 0.0
    if not seconds:
        raise ValueError("X-Request-Timeout must be a number of seconds above 0")
    return min(seconds, limit)


def limit_work(work: Work, environ: Mapping[str, Any], limit: float) -> None:
    """Set the deadline of the work for a request: `limit` seconds after the server has received the request.

    If the environ does not say when the server received the request, the seconds count from now. The deadline is
    earlier if the header X-Request-Timeout asks for fewer seconds. If the environ has `waitress.client_disconnected`,
    the work can also tell whether the client has disconnected. Raises BadRequest (400) if the header is not valid.
    """
    header = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if header is not None:
        try:
            limit = allowed_seconds(header, limit)
        except ValueError as error:
            raise BadRequest(str(error)) from None
    work.at = (environ.get(RECEIVED) or time.monotonic()) + limit
    work.is_cancelled = environ.get("waitress.client_disconnected")
