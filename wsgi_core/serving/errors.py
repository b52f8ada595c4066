"""Error responses that the server sends instead of the application. The body is JSON, as in the service's errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache

from .admission import Refused

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error response of the server. `text` is the message. If `keep` is false, the connection is closed after the
    response.
    """

    code: int
    reason: str
    text: str
    headers: Headers = field(default_factory=list)
    keep: bool = False

    @property
    def status(self) -> str:
        """The status for WSGI's `start_response`, such as `400 Bad Request`."""
        return f"{self.code} {self.reason}"

    @property
    def body(self) -> bytes:
        """The JSON body of the response."""
        return _json(self.text)


@lru_cache(maxsize=64)
def _json(text: str) -> bytes:
    return json.dumps({"error": text}, separators=(",", ":")).encode() + b"\n"


def bad_request(text: str, keep: bool = False) -> ErrorResponse:
    """Return a 400, for a malformed request."""
    return ErrorResponse(400, "Bad Request", text, keep=keep)


def too_slow(text: str) -> ErrorResponse:
    """Return a 408, for a request that has been incomplete for too long (RFC 9110, section 15.5.9)."""
    return ErrorResponse(408, "Request Timeout", text)


def too_large(limit: int) -> ErrorResponse:
    """Return a 413, for a body of more than `limit` bytes."""
    return ErrorResponse(413, "Content Too Large", f"the body may have at most {limit} bytes")


def header_too_large(text: str) -> ErrorResponse:
    """Return a 431, for headers that are too large or too many (RFC 6585, section 5)."""
    return ErrorResponse(431, "Request Header Fields Too Large", text)


def internal_error() -> ErrorResponse:
    """Return a 500, for an unexpected exception in the application or in the server."""
    return ErrorResponse(500, "Internal Server Error", "The server encountered an unexpected internal server error")


def not_implemented(text: str) -> ErrorResponse:
    """Return a 501, for a method that the server does not support."""
    return ErrorResponse(501, "Not Implemented", text)


def version_not_supported() -> ErrorResponse:
    """Return a 505, for an HTTP version that the server does not support (RFC 9110, section 15.6.6)."""
    return ErrorResponse(505, "HTTP Version Not Supported", "the server speaks HTTP/1.1 and HTTP/1.0")


def body_not_stored() -> ErrorResponse:
    """Return a 503, for a body that cannot be stored."""
    return ErrorResponse(503, "Service Unavailable", "the body cannot be stored", [("Retry-After", "1")])


def overloaded(retry_after: int, text: str = "too many requests at once") -> ErrorResponse:
    """Return a 503 that tells the client to retry after `retry_after` seconds."""
    return ErrorResponse(503, "Service Unavailable", text, [("Retry-After", str(retry_after))], keep=True)


def not_monitoring() -> ErrorResponse:
    """Return a 404, because the monitoring port answers only GET and HEAD requests for health and metrics."""
    return ErrorResponse(404, "Not Found", "this port answers only requests for health and metrics", keep=True)


def refusal(refused: Refused) -> ErrorResponse:
    """Return the response to a refused request: 429 if its client has too many requests, otherwise 503."""
    if refused.reason == "client":
        text = "too many requests from this client at once"
        return ErrorResponse(429, "Too Many Requests", text, [("Retry-After", str(refused.retry_after))], keep=True)
    if refused.reason == "expired":
        return overloaded(refused.retry_after, "the request has waited too long for a worker thread")
    return overloaded(refused.retry_after)
