"""Compressed request bodies (`Content-Encoding`) and response bodies (`Accept-Encoding`).

A request body is decompressed twice. The first time only measures the decompressed size, in pieces of at most 64 KiB.
If the size is allowed, the body is decompressed again.
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
"""A response with fewer bytes is not compressed."""

COMPRESSED_PREFIX = "/v2/"
"""Prefix of the paths that accept compressed request bodies."""

SMALL_BODY = 64 << 10
"""`DecodedBodies` does not count a body with fewer bytes after decompression."""

_RESERVED = "wsgi_core.decoded_bytes"

_CHUNK = 64 << 10

_PLAIN = ("", "identity")
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15
"""The values of zlib's `wbits` for the formats gzip, zlib and raw deflate."""


class UnsupportedCoding(UnsupportedMediaType):
    """The error 415 for a content coding that is not in `known`.

    The response lists `known` in the header Accept-Encoding (RFC 9110, 15.5.16).
    """

    def __init__(self, known: t.Sequence[str] = CODINGS) -> None:
        self.known = ", ".join(known)
        super().__init__(f"Content-Encoding must be {' or '.join(known)}")

    def get_headers(self, *args: t.Any, **kwargs: t.Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", self.known)]


def check_coding(environ: t.Mapping[str, t.Any]) -> None:
    """Raise `UnsupportedCoding` (415) for a compressed body, unless the path begins with `COMPRESSED_PREFIX`.

    Only the views of these paths decompress a body.
    """
    coding = environ.get("HTTP_CONTENT_ENCODING")
    if not coding or coding.strip(" \t").lower() in _PLAIN:
        return
    if not environ.get("PATH_INFO", "").startswith(COMPRESSED_PREFIX):
        raise UnsupportedCoding(["identity"])


class DecodedBodies:
    """A limit on memory: the decompressed bodies of all active requests together may use `size` bytes. Thread-safe.

    `reserve` waits at most `timeout` seconds for memory. When the request ends, `release` must be called. A body larger
    than `size` is allowed while no other body is counted. Bodies smaller than `SMALL_BODY` are not counted.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self._size = size
        self._timeout = timeout
        self._used = 0
        self._changed = threading.Condition()

    def reserve(self, environ: t.MutableMapping[str, t.Any], size: int) -> None:
        """Reserve `size` bytes for the request. Do nothing if `size` is below `SMALL_BODY`.

        Raises ServiceUnavailable (503) if the memory is not free after `timeout` seconds.
        """
        if size < SMALL_BODY:
            return
        with self._changed:
            fits = self._changed.wait_for(lambda: self._used + size <= max(self._size, size), self._timeout)
            if not fits:
                raise ServiceUnavailable("Too many large bodies are being processed", retry_after=1)
            self._used += size
            environ[_RESERVED] = environ.get(_RESERVED, 0) + size

    def release(self, environ: t.MutableMapping[str, t.Any]) -> None:
        """Release the bytes that are reserved for the request, if any."""
        if size := environ.pop(_RESERVED, 0):
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def known_coding(coding: str) -> str:
    """Return the coding in a Content-Encoding value: "gzip" or "deflate", or "" if the body is not compressed.

    Raises `UnsupportedCoding` (415) for any other coding.
    """
    name = coding.strip(" \t").lower().removeprefix("x-")
    if name in _PLAIN:
        return ""
    if name not in CODINGS:
        raise UnsupportedCoding()
    return name


def decode_body(
    data: bytes, coding: str, limit: int | None, reserve: t.Callable[[int], object] = lambda size: None
) -> bytes:
    """Return the decompressed body. `coding` is the value of Content-Encoding (RFC 9110, 8.4).

    If the body is not compressed, return `data`. Otherwise `reserve` is called with the decompressed size, and may
    raise an exception to refuse the body. Raises `UnsupportedCoding` (415) if the coding is unknown. Raises BadRequest
    (400) if the data is corrupt, truncated or followed by other data. Raises RequestEntityTooLarge (413) if the
    decompressed body has more than `limit` bytes.
    """
    name = known_coding(coding)
    if not name:
        return data
    wbits = _GZIP if name == "gzip" else _ZLIB if _has_zlib_header(data) else _RAW_DEFLATE
    reserve(_measure(data, wbits, limit))
    return zlib.decompress(data, wbits)


def choose_coding(accepted: str | None, size: int) -> str | None:
    """Return the coding for a response of `size` bytes, or None if the response should not be compressed.

    `accepted` is the value of Accept-Encoding, or None without this header.
    """
    if size < SMALLEST or not accepted:
        return None
    return parse_accept_header(accepted, Accept).best_match(CODINGS)


def encode_body(data: bytes, coding: str) -> bytes:
    """Compress a body with `coding`, which is one of `CODINGS`."""
    return zlib.compress(data, level=1, wbits=_GZIP if coding == "gzip" else _ZLIB)


def _measure(data: bytes, wbits: int, limit: int | None) -> int:
    """Return the size of a body after decompression. Raises the errors 400 and 413 of `decode_body`."""
    unpacker, size, start = zlib.decompressobj(wbits), 0, 0
    try:
        for start in range(0, len(data), _CHUNK):
            rest = data[start : start + _CHUNK]
            while rest and not unpacker.eof:
                size += len(unpacker.decompress(rest, _CHUNK))
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
    if unpacker.unused_data or start + _CHUNK < len(data):
        raise BadRequest("There is data after the compressed body")
    return size


def _has_zlib_header(data: bytes) -> bool:
    """Return whether the body begins with a zlib header (RFC 1950). Some clients send raw deflate data without it."""
    return len(data) >= 2 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
