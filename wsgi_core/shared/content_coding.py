"""Compressed bodies: what `Content-Encoding` and `Accept-Encoding` ask for, with bounded memory.

What counts of a compressed body is its size after decompression. The size is measured first, 64 KiB at a time, and then
`DecodedBodies` has to admit that many bytes.
"""

from __future__ import annotations

import threading
import typing as t
import zlib

from werkzeug.datastructures import Accept
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable, UnsupportedMediaType
from werkzeug.http import parse_accept_header

CODINGS = ("gzip", "deflate")
SMALLEST = 512
"""Bytes below which an answer is not worth compressing."""

UNPACKED = "/v2/"
"""Where the paths begin whose bodies may be compressed."""

SMALL_BODY = 64 << 10
"""Bytes after decompression below which a body is not counted."""

_ADMITTED = "wsgi_core.decoded_bytes"

_PIECE = 64 << 10

_PLAIN = ("", "identity")
_GZIP, _ZLIB, _BARE = 31, 15, -15
"""zlib's names (wbits) for its three formats."""


class UnsupportedCoding(UnsupportedMediaType):
    """415 for an encoding that is not taken; RFC 9110, 15.5.16 wants those named that are: `known`."""

    def __init__(self, known: t.Sequence[str] = CODINGS) -> None:
        self.known = ", ".join(known)
        super().__init__(f"Content-Encoding must be {' or '.join(known)}")

    def get_headers(self, *args: t.Any, **kwargs: t.Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", self.known)]


def check_coding(environ: t.Mapping[str, t.Any]) -> None:
    """Raise `UnsupportedCoding` (415) for a compressed body, but below /v2, whose views unpack it.

    Anything else would be read as if it were not compressed.
    """
    coding = environ.get("HTTP_CONTENT_ENCODING")
    if coding and coding.strip(" \t").lower() not in _PLAIN and not environ.get("PATH_INFO", "").startswith(UNPACKED):
        raise UnsupportedCoding(["identity"])


class DecodedBodies:
    """The sum of all large bodies that were sent compressed and are at work, in bytes after decompression.

    A body waits in `admit` until it fits, at most `timeout` seconds. `release` is called when its request ends. Bodies
    below `SMALL_BODY` are not counted.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self._size = size
        self._timeout = timeout
        self._used = 0
        self._changed = threading.Condition()

    def admit(self, environ: t.MutableMapping[str, t.Any], size: int) -> None:
        """Count `size` bytes for the request of the environ. Raises ServiceUnavailable (503) if they never fit."""
        if size < SMALL_BODY:
            return
        with self._changed:
            fits = self._changed.wait_for(lambda: self._used + size <= max(self._size, size), self._timeout)
            if not fits:
                raise ServiceUnavailable("Too many large bodies are at work", retry_after=1)
            self._used += size
            environ[_ADMITTED] = environ.get(_ADMITTED, 0) + size

    def release(self, environ: t.MutableMapping[str, t.Any]) -> None:
        """Count the bytes of a request no longer."""
        if size := environ.pop(_ADMITTED, 0):
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def known_coding(coding: str) -> str:
    """Return the coding that a value of Content-Encoding names, empty for none. Raises `UnsupportedCoding` (415)."""
    name = coding.strip(" \t").lower().removeprefix("x-")
    if name in _PLAIN:
        return ""
    if name not in CODINGS:
        raise UnsupportedCoding()
    return name


def decode_body(
    data: bytes, coding: str, limit: int | None, admit: t.Callable[[int], object] = lambda size: None
) -> bytes:
    """Return the body that was sent in `coding`, the value of Content-Encoding (RFC 9110, 8.4).

    `admit` is called with the size before anything of that size is made. Raises `UnsupportedCoding` (415),
    `BadRequest` (400) for a body that is broken, cut off or followed by something else, `RequestEntityTooLarge` (413)
    above `limit` bytes, and what `admit` raises.
    """
    name = known_coding(coding)
    if not name:
        return data
    wbits = _GZIP if name == "gzip" else _ZLIB if _has_zlib_header(data) else _BARE
    admit(_measure(data, wbits, limit))
    return zlib.decompress(data, wbits)


def choose_coding(accepted: str | None, size: int) -> str | None:
    """Return the coding for a response of `size` bytes, by the value of Accept-Encoding; None: send it as it is."""
    if size < SMALLEST or not accepted:
        return None
    return parse_accept_header(accepted, Accept).best_match(CODINGS)


def encode_body(data: bytes, coding: str) -> bytes:
    """Compress a body in `coding`, one of `CODINGS`, quickly rather than well."""
    return zlib.compress(data, level=1, wbits=_GZIP if coding == "gzip" else _ZLIB)


def _measure(data: bytes, wbits: int, limit: int | None) -> int:
    """Return the size of a body after decompression, of which 64 KiB are in memory. Raises as `decode_body` does."""
    unpacker, size, start = zlib.decompressobj(wbits), 0, 0
    try:
        for start in range(0, len(data), _PIECE):
            rest = data[start : start + _PIECE]
            while rest and not unpacker.eof:
                size += len(unpacker.decompress(rest, _PIECE))
                rest = unpacker.unconsumed_tail
                if limit is not None and size > limit:
                    raise RequestEntityTooLarge()
            if unpacker.eof:
                break
        size += len(unpacker.flush())
    except zlib.error as error:
        raise BadRequest("The body is not compressed as Content-Encoding says") from error
    if limit is not None and size > limit:
        raise RequestEntityTooLarge()
    if not unpacker.eof:
        raise BadRequest("The compressed body ends too early")
    if unpacker.unused_data or start + _PIECE < len(data):
        raise BadRequest("Something follows the compressed body")
    return size


def _has_zlib_header(data: bytes) -> bool:
    """Return whether the body begins as RFC 1950 says; some clients send the bare stream instead."""
    return len(data) >= 2 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
