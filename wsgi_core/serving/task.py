"""Calls the application for one request, and sends the response. `Task` corresponds to waitress' WSGITask.

Usually, a worker thread calls the application. If requests are quick and all worker threads are idle, the I/O thread
calls the application itself (leader.py).

A slot is the permission to process a request (see admission.py). A stream is a response that is sent in pieces. Unsent
bytes are bytes of a response that the operating system has not yet taken from the server.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.utilities import build_http_date

from ..shared.deadlines import RECEIVED, allowed_seconds
from .admission import Permit, client_of
from .environ import request_environ
from .errors import ErrorResponse, Headers, bad_request, internal_error, overloaded, refusal
from .parser import Parser
from .protocols import Environ, WSGIApplication
from .proxies import Forwarded

if TYPE_CHECKING:
    from .channel import Channel

logger = logging.getLogger("wsgi_core.serving")

WATERMARK = 1 << 20
"""If more bytes than this number are unsent, a stream waits for its client, and a complete response keeps its slot."""

_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_NOTED = _HOP_BY_HOP | {"content-length", "date", "server"}

# The status codes, besides 1xx, whose responses have no body (RFC 9112, section 6.3).
_BODILESS = ("204", "304")


class ClientDisconnected(Exception):
    """Raised if the connection is closed before the whole response is sent."""


class TooManyStreams(Exception):
    """Raised if too many responses are already being streamed."""


class Task:
    """One request and its response."""

    # PERF: class attributes are the defaults, so `__init__` does not need to set them for each request.
    permit: Permit | None = None  # None if the request has no slot, or if the channel has taken over the slot
    received_at = 0.0
    body_size = 0  # bytes of a body that the application reads as a whole
    monitoring = health = False  # monitoring: a GET or HEAD of a path for health checks or metrics
    rejection: WSGIApplication | None = None  # the result of `check_head`, which answers a rejected request
    status = ""
    headers: Sequence[tuple[str, str]] = ()
    content_length: int | None = None
    written = 0  # bytes of the response's body
    # close: the connection closes after the response. too_long: the application sent more than its Content-Length.
    wrote_head = close = chunked = streaming = too_long = False
    _environ: Environ | None = None
    _forwarded: Forwarded | None = None
    _has_body = True
    _bodiless = _has_date = _via = False

    def __init__(self, channel: Channel, request: Parser) -> None:
        self.channel = channel
        self.request = request
        self.client = channel.client
        if request.forwarded:
            self._read_forwarded()
        site = channel.site
        if request.path in site.monitoring and request.command in ("GET", "HEAD"):
            self.monitoring = True
            self.health = request.path in site.health

    def complete(self) -> None:
        """Set `received_at` and `body_size`. If the path is in `body_limits`, `body_size` stays 0."""
        request = self.request
        self.received_at = request.received_at or time.monotonic()
        if request.path not in self.channel.site.limits.body_limits:
            self.body_size = request.body_length

    # Called by the dispatcher.

    def service(self) -> None:
        """Call `rejection` if it is set, otherwise the application. Send the response."""
        site, rejection = self.channel.site, self.rejection
        app = site.app if rejection is None else site.early.observed(rejection)
        self._guard(self._execute, app)

    def fail(self, error: ErrorResponse) -> None:
        """Send `error` as the response."""
        self._guard(self._send_error, error)

    def expire(self) -> None:
        """Answer 503, because the request has waited too long for a thread."""
        self.fail(refusal(self.channel.site.admission.expire()))

    def has_expired(self, now: float, limit: float) -> bool:
        """Return whether the request has waited longer than `limit`, `request_timeout` or X-Request-Timeout, all in
        seconds.

        `now` is time.monotonic(). If the X-Request-Timeout header is not valid, the header is ignored.
        """
        timeout = self.channel.site.settings.request_timeout
        header = self.request.headers.get("HTTP_X_REQUEST_TIMEOUT")
        if header is not None:
            # A header value that is not valid is ignored here, because the application rejects it.
            with contextlib.suppress(ValueError):
                timeout = allowed_seconds(header, timeout)
        waited = now - self.received_at
        return waited > limit or waited > timeout

    def environ(self) -> Environ:
        """Return the environ, which is built at the first call. `_execute` adds `wsgi.input`."""
        if self._environ is None:
            self._environ = request_environ(self.channel.environ, self.request, self._forwarded)
        return self._environ

    # Called by the application.

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        """Store the status and the headers, and return `write` (PEP 3333).

        Raises AssertionError for a second call without `exc_info`, and for a hop-by-hop header. If the headers are
        already sent, raises `exc_info[1]`.
        """
        if exc_info:
            try:
                if self.wrote_head:
                    raise exc_info[1]
            finally:
                exc_info = None
        elif self.status:
            raise AssertionError("start_response called a second time without providing exc_info.")
        self.status = status
        self._bodiless = status[:3] in _BODILESS or status[:1] == "1"
        self._has_body = not self._bodiless and self.request.command != "HEAD"
        self.content_length = None
        self.chunked = self._has_date = self._via = False
        for name, value in headers:
            lower = name.lower()
            if lower not in _NOTED:
                continue
            if lower == "content-length":
                self.content_length = int(value)
            elif lower == "date":
                self._has_date = True
            elif lower == "server":
                self._via = True
            else:
                raise AssertionError(f'"{name}" is a hop-by-hop header, which an application cannot set (PEP 3333)')
        self.headers = list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body (PEP 3333). The first call also sends the headers.

        Bytes beyond Content-Length are discarded. If the response must not have a body, all bytes are discarded.

        Raises ClientDisconnected if the connection is closed, and TooManyStreams if too many responses are being
        streamed.
        """
        if not self.status:
            raise AssertionError("start_response was not called before the body was written")
        complete = not self._has_body
        if complete:
            data = b""
        else:
            data = self._limited(data)
            complete = self.content_length is not None and self.written >= self.content_length
        if not complete:
            self._begin_stream()
        if not self.wrote_head:
            data = self._head() + self._framed(data)
            self.wrote_head = True  # only now: if `data` is not bytes, the line above raises, and the response is a 500
        elif self.chunked:
            data = self._framed(data)
        if data:
            self._send(data, complete)

    # The response.

    def _guard(self, execute: Callable[[Any], None], argument: Any) -> None:
        """Call `execute(argument)`, and then pass the connection back to the I/O thread. If the connection is closed,
        skip the call.

        If `execute` raises an exception, answer with an error. If the headers are already sent, or if the exception is
        `ClientDisconnected`, close the connection instead. SystemExit and other exceptions that are not an `Exception`
        are then raised again.
        """
        try:
            if self.channel.connected:
                execute(argument)
        except ClientDisconnected:
            logger.info("the connection was closed before the response to %s was sent", self.request.path)
            self.close = True
        except TooManyStreams:
            self._replace(overloaded(1, "too many responses are being streamed"))
        except Exception:
            logger.exception("Exception while serving %s", self.request.path)
            self._replace(internal_error())
        except BaseException:  # such as SystemExit
            self._replace(internal_error())
            raise
        finally:
            self._finish()

    def _execute(self, app: WSGIApplication) -> None:
        environ = self.environ()
        request = self.request
        environ["wsgi.input"] = request.get_body_stream()
        if request.chunked:
            environ["CONTENT_LENGTH"] = request.headers.get("CONTENT_LENGTH", "0")
        environ[RECEIVED] = request.received_at
        environ["waitress.client_disconnected"] = self.channel.is_disconnected
        result = app(environ, self.start_response)
        try:
            self._measure(result)
            for piece in result:
                if piece:
                    self.write(piece)
                elif not self.channel.connected:
                    raise ClientDisconnected
                if self.too_long or (self.wrote_head and not self._has_body):
                    break  # the rest is not sent, and might never end
            self._end()
        finally:
            if hasattr(result, "close"):
                result.close()

    def _measure(self, result: Iterable[bytes]) -> None:
        """If the length of the body is known before it is sent, set Content-Length (PEP 3333)."""
        if isinstance(result, ReadOnlyFileBasedBuffer):
            size = result.prepare(self.content_length)
            if size and self.content_length != size:
                self._declare(size)
        elif self.content_length is None and isinstance(result, list | tuple) and self.status and self._has_body:
            self._declare(sum(map(len, result)))

    def _declare(self, size: int) -> None:
        self.headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        self.headers.append(("Content-Length", str(size)))
        self.content_length = size

    def _end(self) -> None:
        """Send what is missing after the last piece of the body: the headers, or the last chunk."""
        if not self.wrote_head:
            if self.content_length is None and self.status and self._has_body:
                self._declare(0)
            self.write(b"")
        if self.chunked:
            self._send(b"0\r\n\r\n", complete=True)
        elif self._has_body and self.written < (self.content_length or 0):
            logger.warning(
                "the application returned fewer bytes (%s) than its Content-Length (%s)",
                self.written, self.content_length,
            )  # fmt: skip
            self.close = True

    def _limited(self, data: bytes) -> bytes:
        """Add `data` to the count of bytes, and return `data` without the bytes beyond Content-Length."""
        if self.content_length is not None and len(data) > self.content_length - self.written:
            logger.warning("the application returned more bytes than its Content-Length (%s)", self.content_length)
            data = data[: self.content_length - self.written]
            self.too_long = True
        self.written += len(data)
        return data

    def _framed(self, data: bytes) -> bytes:
        return b"%X\r\n%b\r\n" % (len(data), data) if self.chunked and data else data

    def _head(self) -> bytes:
        """Return the encoded status line and headers. Set `chunked` and `close`.

        Raises ValueError if the status or a header contains a carriage return or line feed.
        """
        request, site = self.request, self.channel.site
        headers = self.headers
        if self._bodiless:
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        version = request.version if request.version == "1.1" else "1.0"
        lines = [f"HTTP/{version} {self.status}"]
        if not self._via:
            lines.append(site.server_line)
        lines += [f"{name}: {value}" for name, value in headers]
        if self.content_length is None and self._has_body:
            if request.version == "1.1":
                self.chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                self.close = True
        if self._via:
            lines.append(f"Via: {site.ident}")
        if not self._has_date:
            lines.append(site.date_line())
        self.close = self.close or not request.keep_alive or self.channel.listener.should_close()
        if self.close:
            lines.append("Connection: close")
        elif request.version == "1.0":
            lines.append("Connection: Keep-Alive")
        # PERF: two searches of the joined lines are faster than counting the line breaks between them.
        text = "".join(lines)
        if "\n" in text or "\r" in text:
            raise ValueError("a carriage return or line feed is in the status or in a header")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _begin_stream(self) -> None:
        if not self.streaming and not self.monitoring and self.permit is not None:
            if not self.channel.site.dispatcher.begin_stream():
                raise TooManyStreams
            self.streaming = True

    def _send(self, data: bytes, complete: bool) -> None:
        channel = self.channel
        if not complete:
            channel.send(data)
            if self.streaming and channel.unsent > WATERMARK:
                channel.site.dispatcher.wait_for_client(channel)
        elif self.permit is None:
            channel.send(data)
        elif len(data) + channel.unsent <= WATERMARK:
            # Release the slot first, so that it is free before the client can send its next request.
            self._release()
            channel.send(data)
        else:
            channel.send(data)
            if channel.keep_permit(self.permit):
                self.permit = None
            else:
                self._release()

    def _release(self) -> None:
        permit, self.permit = self.permit, None
        if permit is not None:
            self.channel.site.admission.release(permit, time.monotonic())

    def _send_error(self, error: ErrorResponse) -> None:
        if not error.keep:
            self.close = True
        self.status, self.written = "", 0
        status, headers, body = self.channel.site.early.complete(error, self._error_environ())
        self.start_response(status, headers)
        self.content_length = len(body)
        self.write(body)

    def _error_environ(self) -> Environ:
        environ = self.environ()
        environ["REQUEST_METHOD"] = self.request.command or "-"
        return environ

    def _replace(self, error: ErrorResponse) -> None:
        """Answer with `error` instead of the response. If the headers are already sent, close the connection."""
        if self.wrote_head:
            self.close = True
            return
        try:
            self._send_error(error)
        except Exception:
            self.close = True

    def _finish(self) -> None:
        if self.streaming:
            self.channel.site.dispatcher.end_stream()
        if self.permit is not None:
            self._release()
        try:
            self.request.close()
        finally:
            self.channel.finish(self)

    def _read_forwarded(self) -> None:
        proxies = self.channel.site.proxies
        if not proxies.trusts(self.channel.peer):
            return
        try:
            self._forwarded = proxies.read(self.request.headers)
        except ValueError as error:
            logger.warning("the trusted proxy sent an X-Forwarded-* header that is not valid: %.200s", error)
            self.request.error = self.request.error or bad_request("an X-Forwarded-* header is not valid", keep=True)
            return
        if self._forwarded.client:
            self.client = client_of(self._forwarded.client)


class Dates:
    """A cache of the Date header line, which changes once a second."""

    def __init__(self) -> None:
        self._line = ""
        self._second = 0

    def line(self) -> str:
        """Return the line of the Date header, without its CRLF."""
        second = int(time.time())
        if second != self._second:
            self._line = f"Date: {build_http_date(second)}"
            self._second = second
        return self._line
