"""Who a request comes from: the client itself, or the trusted proxy, which says for whom it asks.

waitress can do this too, but answers a header that makes no sense in plain text, and one kind of them by a 500.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from waitress.proxy_headers import PROXY_HEADERS, clear_untrusted_headers, parse_proxy_headers

from ..shared.settings import Settings

logger = logging.getLogger("wsgi_core.serving")

_BELIEVED = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def believe_proxy(app: WSGIApp, settings: Settings) -> WSGIApp:
    """``app``, whose environ says what the trusted proxy does, and nothing of what others say about being forwarded."""

    def forwarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        others = PROXY_HEADERS
        if settings.trusted_proxy in ("*", environ["REMOTE_ADDR"]):
            try:
                others = parse_proxy_headers(environ, settings.trusted_proxy_count, _BELIEVED, logger)
            except Exception as error:  # its own, and an IndexError for an address that is only blanks
                logger.warning("the trusted proxy sends X-Forwarded-* headers that make no sense: %.200r", error)
                return _refuse(environ, start_response)
        clear_untrusted_headers(environ, others)
        return app(environ, start_response)

    return forwarded


def forwarded_client(peer: str, headers: dict[str, str], settings: Settings) -> str:
    """The address to count a request for; a proxy's requests are those of many."""
    if settings.trusted_proxy not in ("*", peer):
        return peer
    hops = headers.get("X_FORWARDED_FOR", "").split(",")
    return hops[-settings.trusted_proxy_count :][0].strip() or peer


def _refuse(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = json.dumps({"error": "an X-Forwarded-* header makes no sense"}, separators=(",", ":")).encode() + b"\n"
    start_response("400 Bad Request", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
