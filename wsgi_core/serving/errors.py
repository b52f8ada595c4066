"""What the server itself answers, before or instead of the application: the same JSON as the service's errors."""

from __future__ import annotations

import json

from waitress.task import ErrorTask
from waitress.utilities import Error

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


class JSONErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers `request.error`, one of the above or waitress's own, in JSON."""

    def execute(self) -> None:
        """Write the answer; the connection ends with it where the next request's start is not known."""
        error = self.request.error
        body = json.dumps({"error": error.body}, separators=(",", ":")).encode("ascii") + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.response_headers.extend(getattr(error, "headers", ()))
        if not getattr(error, "keep", False):
            self.set_close_on_finish()
        self.content_length = len(body)
        head: bytes = self.build_response_header()
        self.wrote_header = True
        # In one piece, as every answer: see `Task.write`.
        self.channel.write_soon(head + (b"" if getattr(self.request, "command", "") == "HEAD" else body))
