"""JSON as RFC 8259 has it, and nothing beyond.

The standard library reads NaN, Infinity, UTF-16 and lone surrogates, and nests until the interpreter gives
up. Here its parser, which is written in C, does the reading, and the few things that it lets pass are caught
before or after; a usual body pays for a few searches through its bytes.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import numpy as np

MAX_DEPTH = 64
"""Lists and objects may stand in each other this deep."""


class JSONError(ValueError):
    """Not acceptable as JSON. `message` is one line that says why and, where there is one, the place."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(data: bytes | str) -> object:
    """The value that a JSON text stands for.

    Raises `JSONError` for whatever is not JSON by RFC 8259: another encoding than UTF-8, a byte order mark,
    NaN and Infinity, half a surrogate pair; also beyond `MAX_DEPTH` levels and for integers of more than
    4,300 digits (Python's limit). If a name comes twice in an object, the last one counts.
    A number beyond the range of a float is JSON: it becomes infinite, and the schema refuses it.
    """
    text, raw = _both_forms(data)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        raise JSONError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value: object = _decoder.decode(text)
    except JSONDecodeError as error:
        raise JSONError(f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise JSONError("nested too deep") from None
    except ValueError as error:
        raise _from_value_error(error) from None
    if "\\u" in text:
        _refuse_lone_surrogates(text)
    return value


def _both_forms(data: bytes | str) -> tuple[str, bytes]:
    """The text as a string and as UTF-8; raises `JSONError` if one of them does not exist."""
    try:
        text, raw = (data, data.encode()) if isinstance(data, str) else (data.decode(), data)
    except UnicodeError as error:
        raise JSONError(f"not UTF-8 (at offset {error.start})") from None  # type: ignore[attr-defined]
    if raw.startswith(b"\xef\xbb\xbf"):
        raise JSONError("a byte order mark before the JSON text")
    return text, raw


_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"?')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def _depth(raw: bytes) -> int:
    """How deep lists and objects stand in each other at the deepest point.

    PERF: escapes, then all bytes that are neither bracket nor quote, then strings are struck out, and what is
    left is summed up; each step is one pass in C. Deleting an end quote and the start quote beside it
    joins two strings, which changes nothing outside of strings.
    """
    if b"\\" in raw:
        raw = _ESCAPE.sub(b"", raw)
    skeleton = raw.translate(_BRACKETS, _OTHER_BYTES).replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRING.sub(b"", skeleton)
    steps = ord("\\") - np.frombuffer(skeleton, np.int8)  # in ASCII, [ \ ] are neighbours: +1 and -1
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


_SURROGATES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)"  # any other escape
)


def _refuse_lone_surrogates(text: str) -> None:
    """Raise `JSONError` if an escape is half a pair: what it stands for could never be sent as UTF-8."""
    for match in _SURROGATES.finditer(text):
        if match["lone"]:
            raise JSONError(f"half a surrogate pair: \\{match['lone']} (at character {match.start()})")


def _from_value_error(error: ValueError) -> JSONError:
    """`_refuse_constant`'s own error, or what int() says to too many digits."""
    return error if isinstance(error, JSONError) else JSONError("an integer has too many digits")


def _refuse_constant(name: str) -> NoReturn:
    """The parser's hook for NaN, Infinity and -Infinity."""
    raise JSONError(f"{name} is not JSON")


_decoder = JSONDecoder(parse_constant=_refuse_constant)
