"""What the server itself answers, before or instead of the application: the same JSON as the service's errors."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from typing import Any

from waitress.utilities import Error, build_http_date

Headers = list[tuple[str, str]]


class Refusal(Error):  # type: ignore[misc]
    """An answer of the server's own; `keep` says that the connection is sound and may be used again."""

    def __init__(self, code: int, reason: str, body: str, headers: Headers | None = None, keep: bool = False) -> None:
        super().__init__(body)
        self.code = code
        self.reason = reason
        self.headers = headers or []
        self.keep = keep


def bad_request(body: str) -> Refusal:
    """400."""
    return Refusal(400, "Bad Request", body)


def too_slow(body: str) -> Refusal:
    """408 (RFC 9110, section 15.5.9)."""
    return Refusal(408, "Request Timeout", body)


def too_large(limit: int) -> Refusal:
    """413 for a body of more than ``limit`` bytes."""
    return Refusal(413, "Content Too Large", f"the body may have at most {limit} bytes")


def too_many_requests(retry_after: int) -> Refusal:
    """429: this client has as many requests here as one may have (RFC 6585, section 4)."""
    text = "too many requests of this client at once"
    return Refusal(429, "Too Many Requests", text, [("Retry-After", str(retry_after))], keep=True)


def too_many_in_a_row(limit: int) -> Refusal:
    """429: this client awaits no answers. It may go on from here on another connection."""
    text = f"more than {limit} requests in a row without awaiting an answer"
    return Refusal(429, "Too Many Requests", text, [("Retry-After", "0")])


def header_too_large(body: str) -> Refusal:
    """431 (RFC 6585, section 5)."""
    return Refusal(431, "Request Header Fields Too Large", body)


def overloaded(retry_after: int, body: str = "too many requests at once") -> Refusal:
    """503: try again in ``retry_after`` seconds."""
    return Refusal(503, "Service Unavailable", body, [("Retry-After", str(retry_after))], keep=True)


def no_room() -> Refusal:
    """503: there is nowhere to keep the body."""
    return Refusal(503, "Service Unavailable", "no room for the body", [("Retry-After", "1")])


@lru_cache(maxsize=64)
def _json(text: str) -> str:
    return json.dumps({"error": text}, separators=(",", ":")) + "\n"


class JSONErrorTask:
    """Answers `request.error`, one of the above or waitress's own, in JSON. What waitress's channel takes for a task.

    A crowd is answered here, request after request on the one thread that reads them all: so no more is done than it
    takes.
    """

    wrote_header = True  # whatever goes wrong with an error's answer, waitress is not to try another

    def __init__(self, channel: Any, request: Any) -> None:
        self.channel = channel
        self.request = request
        # Where the next request's start is not known, or nobody wants it, the connection ends with this answer.
        wish = request.headers.get("CONNECTION", "").lower()
        wanted = wish != "close" if request.version == "1.1" else wish == "keep-alive"
        self.close_on_finish = not (wanted and getattr(request.error, "keep", False)) or channel.server.last_here()

    def service(self) -> None:
        """Write the answer, in one piece, as every answer: see `Task.write`."""
        error = self.request.error
        body = _json(error.body)
        version = self.request.version if self.request.version == "1.1" else "1.0"
        lines = [
            f"HTTP/{version} {error.code} {error.reason}",
            f"Content-Length: {len(body)}",
            "Content-Type: application/json",
            f"Date: {build_http_date(time.time())}",
            f"Server: {self.channel.adj.ident}",
            *(f"{name}: {value}" for name, value in getattr(error, "headers", ())),
        ]
        if self.close_on_finish:
            lines.append("Connection: close")
        elif version == "1.0":
            lines.append("Connection: Keep-Alive")
        if self.request.command == "HEAD":
            body = ""
        self.channel.write_soon("\r\n".join([*lines, "", body]).encode("latin-1"))
