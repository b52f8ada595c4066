"""How long a request may take: the setting, and less if the client asks for less in X-Request-Timeout."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import BadRequest

from ..inference.deadline import Deadline

# time.monotonic() at which the server had the whole request, where a server tells it.
RECEIVED = "wsgi_core.received"

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def allowed_seconds(header: str | None, limit: float) -> float:
    """Return the seconds that a request has: what its header asks for, at most ``limit``. Raises ValueError."""
    if header is None:
        return limit
    seconds = float(header) if _SECONDS.fullmatch(header) else 0.0
    if not seconds:
        raise ValueError("X-Request-Timeout must be a number of seconds above 0")
    return min(seconds, limit)


def request_deadline(environ: Mapping[str, Any], limit: float) -> Deadline:
    """Return the deadline of a request: `limit` seconds, or less if it asks for less, after the server had it.

    waitress can tell whether the client is still there; other servers can't. Raises BadRequest for a senseless header.
    """
    header = environ.get("HTTP_X_REQUEST_TIMEOUT")
    if header is not None:
        try:
            limit = allowed_seconds(header, limit)
        except ValueError as error:
            raise BadRequest(str(error)) from None
    received = environ.get(RECEIVED) or time.monotonic()
    return Deadline(received + limit, environ.get("waitress.client_disconnected"))
