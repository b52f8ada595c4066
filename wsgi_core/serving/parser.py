"""The request parser. It parses the head with llhttp, and applies the limits for requests.

The head is the request line and the headers. `Parser` extends waitress' `HTTPRequestParser`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import httptools
from waitress.parser import HTTPRequestParser, ParsingError, split_uri
from waitress.receiver import FixedStreamReceiver

from .body_buffer import ALWAYS_IN_MEMORY, MEMORY_LIMIT, BodyBudget, DiscardBuffer, SpooledBody
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

Fields = Collection[tuple[bytes, bytes]]
"""Header lines, each as a name and a value."""

MAX_BLANK = 64
"""The maximum number of bytes in the empty lines before a request."""

MAX_CHUNK_OVERHEAD = 4
"""A chunked body of N bytes may take at most `MAX_CHUNK_OVERHEAD` * N + `_FREE_OVERHEAD` bytes to transfer.

The limit refuses bodies of tiny chunks, which take long to parse.
"""
_FREE_OVERHEAD = 16 << 10

_END = b"\r\n\r\n"
_METHOD = re.compile(rb"[A-Z0-9!#$%&'*+.^_`|~-]+(?= )")
# RFC 9110, section 7.2: uri-host, a colon and a port. A comma is not allowed, because it joins two Host headers.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::([0-9]{0,5}))?", re.ASCII)
# A cache that maps header names (`Accept`) to names in the environ (`HTTP_ACCEPT`). Clients can fill the cache, so the
# number of names and the length of a name are limited.
_KEYS: dict[bytes, str] = {}
_MAX_KEYS = 1000
_LONGEST_KEY = 64


@dataclass(slots=True)
class Limits:
    """The limits of a request. `body_limits` maps a path to the limit that replaces `max_content_length` for this path.

    `bodies` has the limits for the bodies of all requests together.
    """

    max_header_bytes: int
    max_headers: int
    max_content_length: int
    body_limits: dict[str, int] = field(default_factory=dict)
    bodies: BodyBudget = field(default_factory=lambda: BodyBudget(1 << 30, MEMORY_LIMIT))


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request while it is read. The keys of `headers` are the names in the environ, such as `HTTP_ACCEPT`.

    `started` and `received_at` are the times at which the parsing began and ended (time.monotonic()).
    `head_pending` is true if the channel must check the head before it reads more of the body.
    `forwarded` is true if the request has one of the headers in `FORWARDED`.
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
    _body = b""
    _blank = 0

    def __init__(self, limits: Limits) -> None:
        self.adj = limits
        self.headers: dict[str, str] = {}
        self.started = time.monotonic()

    @property
    def plain_rest(self) -> int:
        """If the body has a Content-Length, the number of bytes that are still to be read. Otherwise, 0."""
        return int(self.body_rcv.remain) if isinstance(self.body_rcv, FixedStreamReceiver) else 0

    @property
    def limit(self) -> int:
        """The maximum size of the body of this request, in bytes."""
        return self.adj.body_limits.get(self.path, self.adj.max_content_length)

    def reject(self, rejection: ErrorResponse | WSGIApplication) -> None:
        """Discard the body, including the part that has arrived. When the request is complete, set `error` to
        `rejection`, unless `error` is already set.
        """
        self._rejection = rejection
        kept, self.body_rcv.buf = self.body_rcv.buf, DiscardBuffer(len(self.body_rcv))
        kept.close()

    def received(self, data: bytes) -> int:
        """Parse `data`, and return how many bytes were parsed. If the request is incomplete, the caller must pass the
        other bytes again.

        If the request is not valid, `error` is set at once. If `reject` was called, `error` is set when the request is
        complete.
        """
        if self.body_rcv is None:
            consumed = self._receive_head(data)
            if self.headers_finished and not self.completed:
                consumed += self._begin_body(data[consumed:])
        else:
            consumed = self._receive_body(data)
        if self.completed:
            self.received_at = time.monotonic()
            self.error = self.error or self._rejection
            if self.error is not None:
                self.expect_continue = False
        return consumed

    def get_body_stream(self) -> Any:
        """Return a file object with the body."""
        return BytesIO(self._body) if self.body_rcv is None else self.body_rcv.getfile()

    @property
    def body_length(self) -> int:
        """The number of bytes of the body that have been read so far."""
        return len(self._body) if self.body_rcv is None else len(self.body_rcv)

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head. Raises ParsingError, which becomes a 400, if the head is malformed. For other errors, `error`
        is set.
        """
        method, target, fields = self._feed(header_plus)
        self._read_headers(fields)
        version = self.version
        if version != "1.1" and version != "1.0":
            if version == "0.9":
                raise ParsingError("HTTP/0.9 is not supported")
            self._fail(version_not_supported())
            return
        if not header_plus.startswith(b" HTTP/", len(method) + 1 + len(target)):
            raise ParsingError("the parts of the request line must be separated by one space")
        self.command = method
        headers = self.headers
        host = headers.get("HTTP_HOST")
        if host is None and version == "1.1":
            raise ParsingError("HTTP/1.1 requires a Host header")
        if host is not None and not is_valid_host(host):
            raise ParsingError("the Host header is not one host with an optional port")
        self._read_target(target)
        self.keep_alive = _is_kept_alive(headers.get("HTTP_CONNECTION"), version)
        if len(fields) > self.adj.max_headers:
            self._fail(header_too_large(f"a request may have at most {self.adj.max_headers} header lines"))
        elif "CONTENT_LENGTH" in headers or "HTTP_TRANSFER_ENCODING" in headers:
            self._read_framing()

    def _feed(self, head: bytes) -> tuple[str, bytes, Fields]:
        """Parse the head with llhttp. Return the method, the request target and the header lines.

        A method that llhttp does not know is accepted. Raises ParsingError if the head is malformed.
        """
        # PERF: the callbacks are methods of built-in types, so llhttp calls no Python function.
        targets: list[bytes] = []
        once: dict[bytes, bytes] = {}
        parser = httptools.HttpRequestParser(SimpleNamespace(on_url=targets.append, on_header=once.__setitem__))
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # the server supports no upgrade, so the request is handled as an ordinary request
        except httptools.HttpParserInvalidMethodError as error:
            return self._feed_unknown_method(head, error)
        except httptools.HttpParserError as error:
            self._read_headers(_all_fields(head))  # the error response depends on them, for example on Origin
            raise ParsingError(f"{error}") from None
        self.version = parser.get_http_version()
        method: str = parser.get_method().decode("latin-1")
        # The request line and the empty line are not in the dict. If further lines are missing, a name occurs twice.
        fields = once.items() if len(once) == head.count(b"\n") - 2 else _all_fields(head)
        return method, b"".join(targets), fields

    def _feed_unknown_method(self, head: bytes, error: Exception) -> tuple[str, bytes, Fields]:
        """Do what `_feed` does, for a method that llhttp does not know. llhttp gets GET in place of the method."""
        method = _METHOD.match(head)
        if method is None or method[0] in (b"GET", b"PRI"):
            raise ParsingError(f"{error}")
        _, target, fields = self._feed(b"GET" + head[method.end() :])
        return method[0].decode("latin-1"), target, fields

    def _read_headers(self, fields: Fields) -> None:
        """Store the first `max_headers` header lines in `headers`. The values of lines with the same name are joined by
        commas.

        Further lines are not stored, because joining many values takes quadratic time. A header with `_` in its name is
        dropped, because the environ could not distinguish `_` from `-`.
        """
        headers = self.headers
        for name, value in islice(fields, self.adj.max_headers):
            key = _KEYS.get(name)
            if key is None:
                key = _make_key(name)
            if key:
                text = value.rstrip(b" \t").decode("latin-1")
                headers[key] = f"{headers[key]}, {text}" if key in headers else text
        self.forwarded = not FORWARDED.isdisjoint(headers)

    def _read_target(self, target: bytes) -> None:
        """Parse the request target (RFC 9112, section 3.2). The host of an absolute URL replaces the Host header.

        Raises ParsingError if the target is not valid.
        """
        uri = self.request_uri = target.decode("latin-1")
        if uri[:1] == "/" and uri[:2] != "//":
            path, _, self.query = uri.partition("#")[0].partition("?")
            self.path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path
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
            self.headers["HTTP_HOST"] = self.proxy_netloc
            self.path = self.path or "/"

    def _read_framing(self) -> None:
        """Set `chunked` or `content_length`. If Content-Length is above the limit, set `error` to a 413.

        Raises ParsingError if Transfer-Encoding is ambiguous or not supported.
        """
        headers = self.headers
        encoding = headers.pop("HTTP_TRANSFER_ENCODING", None)
        if encoding is not None:
            if encoding.lower() != "chunked" or self.version != "1.1" or "CONTENT_LENGTH" in headers:
                raise ParsingError("Transfer-Encoding must be chunked, once, in HTTP/1.1, without Content-Length")
            self.chunked = True
        else:
            self.content_length = int(headers["CONTENT_LENGTH"])
            if self.content_length > self.limit:
                self._fail(too_large(self.limit))

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
        end = data.find(_END, before - 3 if before > 3 else 0)
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
        if not (self.chunked or self.content_length):
            self.completed = True

    def _begin_body(self, data: bytes) -> int:
        """Begin to read the body. `data` has the bytes after the head. Return how many of these bytes were parsed.

        The caller must pass the other bytes again, after the head is checked.
        """
        length = self.content_length
        if length and length <= len(data):
            # PERF: a body that arrived with the head needs no buffer, because the body is small.
            self._body = data[:length]
            self.completed = True
            return length
        consumed = 0
        if self.chunked:
            self.body_rcv = ChunkedBody(SpooledBody(self.adj.bodies))
            # Bodies up to this size never need a file. The rest of the input waits until the head is checked.
            consumed = self._receive_body(data[:ALWAYS_IN_MEMORY])
        else:
            # All bytes wait until the head is checked, because a large body is written to a file from its first byte.
            self.body_rcv = FixedStreamReceiver(length, SpooledBody(self.adj.bodies, length))
        self.head_pending = not self.completed
        if self.head_pending and self.version == "1.1":
            self.expect_continue = self.headers.get("HTTP_EXPECT", "").lower() == "100-continue"
        return consumed

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
    f"HTTP_{name}"
    for name in (
        "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_FORWARDED_PORT", "X_FORWARDED_BY", "FORWARDED",
    )
)  # fmt: skip
"""The headers with which proxies describe the original request, by their names in the environ."""


def _all_fields(head: bytes) -> Fields:
    """Return the header lines in order, up to a line that llhttp rejects. Several lines may have the same name."""
    fields: list[tuple[bytes, bytes]] = []
    parser = httptools.HttpRequestParser(SimpleNamespace(on_header=lambda name, value: fields.append((name, value))))
    with contextlib.suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
        parser.feed_data(head)
    return fields


def _make_key(name: bytes) -> str:
    """Return the name of a header in the environ, or an empty string if `name` has an underscore. Cache short names."""
    key = "" if b"_" in name else name.decode("latin-1").upper().replace("-", "_")
    if key and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if len(_KEYS) < _MAX_KEYS and len(name) <= _LONGEST_KEY:
        _KEYS[name] = key
    return key


@lru_cache(maxsize=64)
def _is_kept_alive(connection: str | None, version: str) -> bool:
    """Return whether the Connection header lets the connection stay open (RFC 9112, section 9.3). `version` is "1.1" or
    "1.0".
    """
    tokens = {token.strip(" \t").lower() for token in (connection or "").split(",")}
    return "close" not in tokens and (version == "1.1" or "keep-alive" in tokens)


@lru_cache(maxsize=1024)
def is_valid_host(host: str) -> bool:
    """Return whether the value of a Host header is one host with an optional port (RFC 9110, section 7.2).

    Some values that the RFC allows are not valid here: an empty host, a host with a comma, an IP literal of a future
    version, a port above 65535, and a port with more than five digits.
    """
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
