"""Requests as they come in: waitress's parser, with limits that keep its only I/O thread free.

What is refused here never reaches a thread, and its body is never kept.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.utilities import RequestEntityTooLarge, RequestHeaderFieldsTooLarge

from .bodies import Bodies, Body, Nowhere
from .errors import Refusal, bad_request, header_too_large, no_room, too_large

logger = logging.getLogger("wsgi_core.serving")

# The pattern that waitress matches a header line with takes a time quadratic in the blanks at the value's start.
_MANY_BLANKS = re.compile(rb":[ \t]{64}")
# RFC 9112, section 5.2: a line folded into two is refused. (Unfolded it could hold many blanks again.)
_FOLDED = re.compile(rb"\r\n[ \t]")
_ENCODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:([^\r]*)", re.IGNORECASE)
# Bytes of a chunk's size with its extensions, and of all trailers: waitress knows no limit of its own.
_MAX_CHUNK_LINE = 1024
_MAX_TRAILERS = 8192
MAX_FRAMING = 4
"""How many times its bytes a body in chunks may take on the wire, after the first few: each chunk costs the I/O thread
the same, also one of a byte or an empty line."""
_FREE_FRAMING = 16 << 10


class Limits(Adjustments):  # type: ignore[misc]
    """waitress's settings and ours."""

    max_headers: int
    max_content_length: int
    body_limits: dict[str, int]
    """By path, where another limit holds than `max_content_length`."""
    bodies: Bodies
    by_path: dict[str, Limits]
    """What holds instead for the paths whose bodies have a limit of their own."""


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request while it is read. `started`, `received_at`: when its first and its last byte came, monotonic.

    `waits_for_judgement`: its head is there, its body is not, and nobody has looked yet whether there is a place.
    """

    adj: Limits
    completed: bool
    error: Any
    path = command = ""  # where the first line makes no sense

    def __init__(self, adj: Limits) -> None:
        super().__init__(adj)
        self.started = time.monotonic()
        self.received_at = 0.0
        self.waits_for_judgement = False
        self._refusal: Refusal | None = None

    @property
    def plain_rest(self) -> int:
        """Bytes that are still to come of a body whose length was told; 0 in the head, and of a body in chunks."""
        return 0 if self.body_rcv is None or self.chunked else int(self.body_rcv.remain)

    def judge(self, refusal: Refusal | None) -> Refusal | None:
        """Take what is to be answered when the body is over, if it is to be refused."""
        self.waits_for_judgement = False
        self._refusal = refusal
        if refusal is not None:
            kept, self.body_rcv.buf = self.body_rcv.buf, Nowhere(len(self.body_rcv))
            kept.close()
        return refusal

    def received(self, data: bytes) -> int:
        """Take bytes; how many of them belong to this request. `error` is set for what is refused."""
        in_head = not self.headers_finished
        try:
            consumed: int = super().received(data)
        except OSError:  # the body is kept in a file, and the disk is full
            logger.exception("a body could not be kept")
            consumed, self.completed, self.error = len(data), True, no_room()
        if self.body_rcv is not None and self.error is None:
            self._limit_body(self.body_rcv)
        if self.completed:
            self.received_at = time.monotonic()
            self.error = self.error or self._refusal
            self._name_limits()
        elif in_head:
            self.waits_for_judgement = self.headers_finished
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers. Raises ParsingError (400), sets `error` for too many lines."""
        if _MANY_BLANKS.search(header_plus) or _FOLDED.search(header_plus):
            raise ParsingError("a header line is folded, or begins with many blanks")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of 5,000 digits, an address in unbalanced brackets
            raise ParsingError("the request line or a header makes no sense") from error
        except TransferEncodingNotImplemented as error:
            raise ParsingError("the only Transfer-Encoding known here is chunked") from error
        self.adj = self.adj.by_path.get(self.path, self.adj)
        if self.body_rcv is not None:
            self.body_rcv.buf = Body(self.adj.bodies, self.content_length)
        if b"transfer-encoding" in header_plus.lower():
            self._refuse_smuggling(header_plus)
        if header_plus.count(b"\r\n") > self.adj.max_headers + 2:  # with the request line and the empty one
            self.error = header_too_large(f"a request may have at most {self.adj.max_headers} header lines")
            self.completed = True

    def _refuse_smuggling(self, header_plus: bytes) -> None:
        """Raise ParsingError where two servers could see the body end in two places (RFC 9112, section 6.3)."""
        encodings = [value.strip(b" \t").lower() for value in _ENCODING.findall(header_plus)]
        if encodings and encodings != [b"chunked"]:
            raise ParsingError("Transfer-Encoding must be chunked, once")
        if encodings and not self.chunked:
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if encodings and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Transfer-Encoding and Content-Length together")

    def _limit_body(self, receiver: Any) -> None:
        """Refuse a body for its declared length, at once, or for what has come of it in chunks."""
        limit = self._limit
        if self.content_length > limit or (self.chunked and len(receiver) > limit):
            self.error = too_large(limit)
            self.completed = True
        elif self.chunked and (len(receiver.control_line) > _MAX_CHUNK_LINE or len(receiver.trailer) > _MAX_TRAILERS):
            self.error = bad_request("a chunk's size or the trailers are too long")
            self.completed = True
        elif self.chunked and self.body_bytes_received > MAX_FRAMING * len(receiver) + _FREE_FRAMING:
            self.error = bad_request("the chunks are too small for what is in them")
            self.completed = True

    @property
    def _limit(self) -> int:
        limit: int = self.adj.body_limits.get(self.path, self.adj.max_content_length)
        return limit

    def _name_limits(self) -> None:
        """Say which limit was passed; and nobody is told to continue with what is refused."""
        if self.error is not None:
            self.expect_continue = False
        if isinstance(self.error, RequestEntityTooLarge):
            self.error = too_large(self._limit)
        elif isinstance(self.error, RequestHeaderFieldsTooLarge):
            self.error = header_too_large(
                f"request line and headers may have at most {self.adj.max_request_header_size} bytes"
            )
