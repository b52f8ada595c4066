"""Compressed bodies: what `Content-Encoding` and `Accept-Encoding` ask for, with bounded memory."""

from __future__ import annotations

import typing as t
import zlib

from werkzeug.datastructures import Accept
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import parse_accept_header

CODINGS = ("gzip", "deflate")
SMALLEST = 512
"""Bytes below which an answer is not worth compressing."""

UNPACKED = "/v2/"
"""Where the paths begin whose bodies may be compressed."""

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


def decode_body(data: bytes, coding: str, limit: int | None) -> bytes:
    """The body that was sent in `coding`, the value of Content-Encoding (RFC 9110, 8.4).

    Raises `UnsupportedCoding` (415), `BadRequest` (400) for what is broken, cut off or followed by something else,
    `RequestEntityTooLarge` (413) above `limit` bytes, of which never more than one too many is unpacked.
    """
    name = coding.strip(" \t").lower()
    if name in _PLAIN:
        return data
    if name in ("gzip", "x-gzip"):
        return _unpacked(data, _GZIP, limit)
    if name == "deflate":
        return _unpacked(data, _ZLIB if _has_zlib_header(data) else _BARE, limit)
    raise UnsupportedCoding()


def choose_coding(accepted: str | None, size: int) -> str | None:
    """The coding for an answer of so many bytes, by the value of Accept-Encoding; None: as it is."""
    if size < SMALLEST or not accepted:
        return None
    return parse_accept_header(accepted, Accept).best_match(CODINGS)


def encode_body(data: bytes, coding: str) -> bytes:
    """The body in `coding`, one of `CODINGS`: quickly rather than as small as can be."""
    return zlib.compress(data, level=1, wbits=_GZIP if coding == "gzip" else _ZLIB)


def _unpacked(data: bytes, wbits: int, limit: int | None) -> bytes:
    unpacker = zlib.decompressobj(wbits)
    try:
        unpacked = unpacker.decompress(data, 0 if limit is None else limit + 1)
    except zlib.error as error:
        raise BadRequest("The body is not compressed as Content-Encoding says") from error
    if limit is not None and len(unpacked) > limit:
        raise RequestEntityTooLarge()
    if not unpacker.eof:
        raise BadRequest("The compressed body ends too early")
    if unpacker.unused_data:
        raise BadRequest("Something follows the compressed body")
    return unpacked


def _has_zlib_header(data: bytes) -> bool:
    """Whether the body begins as RFC 1950 says; some clients send the bare stream instead."""
    return len(data) >= 2 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
