"""The request parser: waitress' request object, with llhttp for the head and with the limits of the server.

A request that is not valid does not reach the application.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import httptools
from waitress.parser import HTTPRequestParser, ParsingError, split_uri
from waitress.receiver import FixedStreamReceiver

from .body_buffer import MEMORY_LIMIT, BodyBudget, DiscardBuffer, SpooledBody
from .chunked_body import ChunkedBody
from .errors import (
    ErrorResponse,
    bad_request,
    body_not_stored,
    header_too_large,
    not_implemented,
    too_large,
    version_not_supported,
)
from .protocols import WSGIApplication

if TYPE_CHECKING:
    from .task import Task

logger = logging.getLogger("wsgi_core.serving")

MAX_BLANK = 64
"""Maximum number of bytes in the empty lines before a request."""

MAX_CHUNK_OVERHEAD = 4
"""A chunked body of N bytes may take at most this number times N bytes on the wire, plus `_FREE_OVERHEAD` bytes.

The limit refuses a body of tiny chunks: a chunk of one byte costs the I/O thread as much as a large chunk.
"""
_FREE_OVERHEAD = 16 << 10

_END = b"\r\n\r\n"
_METHOD = re.compile(rb"[A-Z0-9!#$%&'*+.^_`|~-]+(?= )")
# RFC 9110, section 7.2: uri-host, a colon and a port. A comma is not allowed, because it joins two Host headers.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::([0-9]{0,5}))?", re.ASCII)
# Cache of header names (`Content-Type`) and their names in the environ (`CONTENT_TYPE`). Clients can fill it, so its
# size is limited: the number of names, and the bytes in a name.
_KEYS: dict[bytes, str] = {}
_MAX_KEYS = 1000
_LONGEST_KEY = 64


@dataclass(slots=True)
class Limits:
    """The limits of a request. `body_limits` maps a path to the limit that replaces `max_content_length` for the path.

    `bodies` limits the bodies of all requests together.
    """

    max_header_bytes: int
    max_headers: int
    max_content_length: int
    body_limits: dict[str, int] = field(default_factory=dict)
    bodies: BodyBudget = field(default_factory=lambda: BodyBudget(1 << 30, MEMORY_LIMIT))


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request while it is read.

    `started`, `received_at`: when the parsing began, and when the last byte was parsed (time.monotonic()). The bytes of
    a pipelined request may have arrived earlier.
    `head_pending`: the head is complete, the body is not, and the channel has not checked the head yet.
    `forwarded`: the request has a forwarding header, such as X-Forwarded-For.
    """

    adj: Limits
    completed: bool
    header_plus: bytes
    error: ErrorResponse | WSGIApplication | None
    path = query = request_uri = command = ""  # until the request line is parsed
    url_scheme = "http"
    keep_alive = False
    head_pending = False
    forwarded = False
    received_at = 0.0
    task: Task | None = None
    _rejection: ErrorResponse | WSGIApplication | None = None
    _lines = 0
    _blank = 0
    _target = b""

    def __init__(self, limits: Limits) -> None:
        self.adj = limits
        self.headers: dict[str, str] = {}
        self.started = time.monotonic()

    @property
    def plain_rest(self) -> int:
        """The number of bytes that a body with a Content-Length still lacks, or 0 for any other request."""
        return int(self.body_rcv.remain) if isinstance(self.body_rcv, FixedStreamReceiver) else 0

    @property
    def limit(self) -> int:
        """The largest body, in bytes, that the request may have."""
        return self.adj.body_limits.get(self.path, self.adj.max_content_length)

    def reject(self, rejection: ErrorResponse | WSGIApplication) -> None:
        """Discard the body as it arrives. After its last byte, `rejection` becomes the response."""
        self._rejection = rejection
        kept, self.body_rcv.buf = self.body_rcv.buf, DiscardBuffer(len(self.body_rcv))
        kept.close()

    def received(self, data: bytes) -> int:
        """Parse `data`. Return how many bytes belong to this request.

        If the request is not valid, `error` is set at once. If `reject` was called, `error` is set when the request is
        complete.
        """
        consumed = self._receive_head(data) if self.body_rcv is None else self._receive_body(data)
        if self.completed:
            self.received_at = time.monotonic()
            self.error = self.error or self._rejection
            if self.error is not None:
                self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and the headers. Raises ParsingError, which becomes a 400, if they are malformed."""
        method = self._feed(header_plus)
        version = self.version
        if version != "1.1" and version != "1.0":
            if version == "0.9":
                raise ParsingError("HTTP/0.9 is not supported")
            self._fail(version_not_supported())
            return
        if not header_plus.startswith(b" HTTP/", len(method) + 1 + len(self._target)):
            raise ParsingError("the parts of the request line must be separated by one space")
        self.command = method
        headers = self.headers
        host = headers.get("HOST")
        if host is None and version == "1.1":
            raise ParsingError("HTTP/1.1 requires a Host header")
        if host is not None and not is_valid_host(host):
            raise ParsingError("the Host header is not one host with an optional port")
        self._read_target(self._target)
        self._read_connection(headers.get("CONNECTION"))
        if self._lines > self.adj.max_headers:
            self._fail(header_too_large(f"a request may have at most {self.adj.max_headers} header lines"))
        elif "CONTENT_LENGTH" in headers or "TRANSFER_ENCODING" in headers:
            self._prepare_body()
        if self.body_rcv is not None and version == "1.1":
            self.expect_continue = headers.get("EXPECT", "").lower() == "100-continue"

    # The callbacks of httptools.

    def on_url(self, url: bytes) -> None:
        """Store the request target."""
        self._target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header line. Drop a header with `_` in its name, because the environ replaces `-` by `_` in names."""
        self._lines += 1
        if self._lines > self.adj.max_headers:
            return  # the request is refused; many lines of one name would take quadratic time
        key = _KEYS.get(name)
        if key is None:
            key = _make_key(name)
        if key:
            text = value.rstrip(b" \t").decode("latin-1")
            headers = self.headers
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
            if key in FORWARDED:
                self.forwarded = True

    def _feed(self, head: bytes) -> str:
        """Parse the head with llhttp, and return the method. Raises ParsingError if llhttp rejects the head."""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # the server supports no upgrade, so the request is handled as an ordinary request
        except httptools.HttpParserInvalidMethodError as error:
            return self._feed_unknown_method(head, error)
        except httptools.HttpParserError as error:
            raise ParsingError(f"{error}") from None
        self.version = parser.get_http_version()
        method: str = parser.get_method().decode("latin-1")
        return method

    def _feed_unknown_method(self, head: bytes, error: Exception) -> str:
        """Parse a head whose method llhttp does not know, as if the method were GET. Return the method."""
        method = _METHOD.match(head)
        if method is None or method[0] in (b"GET", b"PRI"):
            raise ParsingError(f"{error}")
        self._feed(b"GET" + head[method.end() :])
        return method[0].decode("latin-1")

    def _read_target(self, target: bytes) -> None:
        """Parse the request target (RFC 9112, section 3.2). The host of an absolute URL replaces the Host header."""
        self.request_uri = target.decode("latin-1")
        if target[:1] == b"/" and target[:2] != b"//":
            path, _, query = target.partition(b"#")[0].partition(b"?")
            self.path = (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")
            self.query = query.decode("latin-1")
            return
        if self.command == "CONNECT":
            self._fail(not_implemented("CONNECT is not supported"))
            return
        if target == b"*" and self.command != "OPTIONS":
            raise ParsingError("only OPTIONS can have * as its target")
        try:
            self.proxy_scheme, self.proxy_netloc, self.path, self.query, self.fragment = split_uri(target)
        except ValueError:  # unbalanced brackets
            raise ParsingError("the target of the request is not valid") from None
        if target[:2] != b"//" and target != b"*":
            if self.proxy_scheme.lower() not in ("http", "https"):
                raise ParsingError("the target of the request is neither a path nor an http URL")
            if not is_valid_host(self.proxy_netloc):
                raise ParsingError("the target of the request has no valid host")
            self.headers["HOST"] = self.proxy_netloc
            self.path = self.path or "/"

    def _read_connection(self, value: str | None) -> None:
        """Set `keep_alive` from the tokens of the Connection header (RFC 9112, section 9.3)."""
        if value is None:
            self.keep_alive = self.version == "1.1"
        else:
            tokens = {token.strip(" \t").lower() for token in value.split(",")}
            self.keep_alive = "close" not in tokens and (self.version == "1.1" or "keep-alive" in tokens)
        self.connection_close = not self.keep_alive

    def _prepare_body(self) -> None:
        """Prepare to receive a body. If Content-Length is above the limit, set `error` to a 413.

        Raises ParsingError if Transfer-Encoding is ambiguous or is not supported.
        """
        encoding = self.headers.pop("TRANSFER_ENCODING", None)
        if encoding is not None:
            if encoding.lower() != "chunked" or self.version != "1.1" or "CONTENT_LENGTH" in self.headers:
                raise ParsingError("Transfer-Encoding must be chunked, once, in HTTP/1.1, without Content-Length")
            self.chunked = True
            self.body_rcv = ChunkedBody(SpooledBody(self.adj.bodies))
            return
        self.content_length = int(self.headers["CONTENT_LENGTH"])
        if self.content_length > self.limit:
            self._fail(too_large(self.limit))
        elif self.content_length:
            buffer = SpooledBody(self.adj.bodies, self.content_length)
            self.body_rcv = FixedStreamReceiver(self.content_length, buffer)

    def _receive_head(self, data: bytes) -> int:
        size = len(data)
        before = len(self.header_plus)
        if before:
            data = self.header_plus + data
        if data[:1] in (b"\r", b"\n"):  # RFC 9112, section 2.2: empty lines before a request are ignored
            rest = data.lstrip(b"\r\n")
            self._blank += len(data) - len(rest)
            if self._blank > MAX_BLANK:
                self._fail(bad_request("too many empty lines before the request"))
                return size
            if not rest:
                return size
            before -= len(data) - len(rest)
            data = rest
        end = data.find(_END, max(0, before - 3))
        self.header_bytes_received = length = end + 4 if end >= 0 else len(data)
        if length > self.adj.max_header_bytes:
            self._fail(header_too_large(f"request line and headers may have at most {self.adj.max_header_bytes} bytes"))
        elif end >= 0:
            self._finish_head(data[:length])
        elif data.count(b"\n") != data.count(b"\r\n"):
            self._fail(bad_request("a header line must end with CRLF"))
        else:
            self.header_plus = data
            return size
        return length - before

    def _finish_head(self, head: bytes) -> None:
        self.headers_finished = True
        try:
            self.parse_header(head)
        except ParsingError as error:
            self._fail(bad_request(str(error)))
        if self.body_rcv is None:
            self.completed = True
        elif not self.completed:
            self.head_pending = True

    def _receive_body(self, data: bytes) -> int:
        receiver = self.body_rcv
        try:
            consumed: int = receiver.received(data)
        except OSError as error:  # the disk is full, or the limit for bodies on disk is reached
            logger.warning("a request body could not be stored: %s", error)
            self._fail(body_not_stored())
            return len(data)
        self.body_bytes_received += consumed
        if receiver.error is not None:
            self._fail(bad_request(receiver.error))
        elif self.chunked:
            self._limit_chunks(receiver)
        if receiver.completed and not self.completed:
            self.completed = True
            if self.chunked:
                self.headers["CONTENT_LENGTH"] = str(len(receiver))
        return consumed

    def _limit_chunks(self, receiver: Any) -> None:
        if len(receiver) > self.limit:
            self._fail(too_large(self.limit))
        elif self.body_bytes_received > MAX_CHUNK_OVERHEAD * len(receiver) + _FREE_OVERHEAD:
            self._fail(bad_request("the chunks of the body are too small: send larger chunks"))

    def _fail(self, error: ErrorResponse) -> None:
        self.error = error
        self.completed = True


FORWARDED = frozenset(
    {"X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_FORWARDED_PORT", "X_FORWARDED_BY", "FORWARDED"}
)
"""The headers that a proxy adds to a request that it forwards."""


def _make_key(name: bytes) -> str:
    """Return a header's name in CGI form, or an empty string if it has an underscore. Cache short names."""
    key = "" if b"_" in name else name.decode("latin-1").upper().replace("-", "_")
    if len(_KEYS) < _MAX_KEYS and len(name) <= _LONGEST_KEY:
        _KEYS[name] = key
    return key


@lru_cache(maxsize=1024)
def is_valid_host(host: str) -> bool:
    """Return whether the value of a Host header is one host with an optional port (RFC 9110, section 7.2)."""
    found = _HOST.fullmatch(host)
    if found is None or (found[2] and int(found[2]) > 65535):
        return False
    if host[0] != "[":
        return True
    try:
        ipaddress.IPv6Address(found[1][1:-1])
    except ValueError:
        return False
    return True
