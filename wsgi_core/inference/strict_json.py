"""A JSON parser that accepts only valid JSON (RFC 8259), and limits the memory that the result takes.

orjson parses the text. If orjson refuses the text, the JSON parser of the standard library parses the text again. The
standard library gives the position of an error, and accepts numbers beyond the range of a float. The standard library
is also more lenient than the RFC, so this module adds checks.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import numpy as np
import orjson

MAX_DEPTH = 64
"""The maximum depth of nested lists and objects."""
MAX_CONTAINERS = 200_000
"""The maximum number of lists and objects in a text, because a small list takes far more memory than its JSON."""

MAX_STRINGS = 500_000
"""The maximum number of strings in a text, without the names in objects.

The number is estimated from quotation marks.
"""


class JSONError(ValueError):
    """The text is not accepted as JSON. `message` is one line with the reason and, if known, the position."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(data: bytes | str) -> object:
    """Parse a JSON text and return its value.

    Raises `JSONError` if the text is not valid JSON (RFC 8259), or contains a byte order mark or a lone surrogate. Also
    raises `JSONError` if the text exceeds `MAX_DEPTH`, `MAX_CONTAINERS` or `MAX_STRINGS`, or if an integer has more
    than 4,300 digits.

    If an object has a name twice, the last value is used. An integer that does not fit in 64 bits becomes the nearest
    float. A number beyond the range of a float becomes infinity.
    """
    raw = data if isinstance(data, bytes) else _encode(data)
    if len(raw) > MAX_DEPTH and _openings(raw) > MAX_DEPTH:
        _refuse_structure(raw)
    if len(raw) > 2 * MAX_STRINGS and _strings(raw) > MAX_STRINGS:
        raise JSONError(f"more than {MAX_STRINGS} strings")
    try:
        return orjson.loads(raw)
    except ValueError:
        return _read_slowly(raw)


def _read_slowly(raw: bytes) -> object:
    """Parse a text that orjson has refused. Return the value, or raise `JSONError` with the reason."""
    text = _decode(raw)
    try:
        value: object = _decoder.decode(text)
    except JSONDecodeError as error:
        raise JSONError(f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise JSONError("nested too deeply") from None
    except ValueError as error:
        raise _from_value_error(error) from None
    if "\\u" in text:
        _refuse_lone_surrogates(text)
    return value


def _encode(text: str) -> bytes:
    """Encode the text as UTF-8. Raises `JSONError` if the text has a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise JSONError(f"not UTF-8 (at offset {error.start})") from None


def _decode(raw: bytes) -> str:
    """Decode UTF-8. Raises `JSONError` if the bytes are not UTF-8 or begin with a byte order mark."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise JSONError("a byte order mark before the JSON text")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise JSONError(f"not UTF-8 (at offset {error.start})") from None


_LONG = 4096


def _openings(raw: bytes) -> int:
    """Count the opening brackets, including brackets inside strings.

    PERF: the characters [ and { differ in one bit, so one comparison in NumPy finds both. For a short text, bytes.count
    is faster.
    """
    if len(raw) < _LONG:
        return raw.count(b"[") + raw.count(b"{")
    return int(np.count_nonzero(np.frombuffer(raw, np.uint8) | 0x20 == ord("{")))


def _strings(raw: bytes) -> int:
    """Estimate the number of strings from the quotation marks. A name in an object is not counted if the colon directly
    follows it.
    """
    quotes = int(np.count_nonzero(np.frombuffer(raw, np.uint8) == ord('"')))
    return quotes // 2 - raw.count(b'":')


_STRING = re.compile(rb'"[^"]*"?')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def _refuse_structure(raw: bytes) -> None:
    """Raise `JSONError` if lists and objects are nested too deeply, or if there are too many of them."""
    steps = _steps(raw)
    if np.cumsum(steps, dtype=np.int32).max(initial=0) > MAX_DEPTH:
        raise JSONError(f"nested deeper than {MAX_DEPTH} levels")
    if np.count_nonzero(steps == 1) > MAX_CONTAINERS:
        raise JSONError(f"more than {MAX_CONTAINERS} lists and objects")


def _steps(raw: bytes) -> np.ndarray:
    """Return an array with +1 for each opening bracket and -1 for each closing bracket.

    Brackets in strings are left out. PERF: calls in C remove the escapes, then all bytes except brackets and quotes,
    then the strings. A regular expression for the escapes would take several times as long.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = raw.translate(_BRACKETS, _OTHER_BYTES).replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRING.sub(b"", skeleton)
    return ord("\\") - np.frombuffer(skeleton, np.int8)  # in ASCII, [ \ ] are neighbours


_SURROGATES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)"  # any other escape
)


def _refuse_lone_surrogates(text: str) -> None:
    """Raise `JSONError` if an escape is a lone surrogate, which UTF-8 cannot encode."""
    for match in _SURROGATES.finditer(text):
        if match["lone"]:
            raise JSONError(f"a lone surrogate: \\{match['lone']} (at character {match.start()})")


def _from_value_error(error: ValueError) -> JSONError:
    """Return the `JSONError` for a ValueError of the standard library's parser.

    An error of `_refuse_constant` is a `JSONError` already. Any other ValueError comes from int(): too many digits.
    """
    return error if isinstance(error, JSONError) else JSONError("an integer has too many digits")


def _refuse_constant(name: str) -> NoReturn:
    """Raise `JSONError`. The parser calls this hook for NaN, Infinity and -Infinity."""
    raise JSONError(f"{name} is not JSON")


def _read_integer(digits: str) -> int | float:
    """Return the exact integer if it fits in 64 bits, otherwise the nearest float, as orjson does."""
    value = int(digits)
    if -(1 << 63) <= value < 1 << 64:
        return value
    return float(digits)


_decoder = JSONDecoder(parse_constant=_refuse_constant, parse_int=_read_integer)
