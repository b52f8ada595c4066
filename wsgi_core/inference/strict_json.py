"""A strict JSON parser, which accepts only the JSON of RFC 8259.

The parser is orjson, which is strict and five to ten times faster than the standard library. If orjson refuses a text,
the standard library parses the text again: its errors say what is wrong and where, and it accepts numbers beyond the
range of a float. The standard library also accepts NaN, Infinity, UTF-16, lone surrogates and deeper nesting. This
module refuses them.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import numpy as np
import orjson

MAX_DEPTH = 64
"""The deepest nesting of lists and objects that is accepted."""
MAX_CONTAINERS = 200_000
"""The most lists and objects that a text may have. In memory, a small list takes 10 to 30 times its bytes in JSON."""

MAX_STRINGS = 500_000
"""The most strings that a text may have, without the names in objects. In memory, a short string takes many times its
bytes in JSON. The number of strings is estimated from the quotation marks."""


class JSONError(ValueError):
    """The text is not accepted as JSON. `message` is one line with the reason and, if known, the position."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(data: bytes | str) -> object:
    """Parse a JSON text and return its value.

    Raises `JSONError` if the text is not valid JSON by RFC 8259. Examples are an encoding other than UTF-8, a byte
    order mark, NaN, Infinity, and a lone surrogate. Raises `JSONError` too if the text exceeds `MAX_DEPTH`,
    `MAX_CONTAINERS` or `MAX_STRINGS`, or if an integer has more than 4,300 digits.

    If an object has a name twice, the last value is used. An integer that does not fit in 64 bits becomes the nearest
    float. A number beyond the range of a float is valid JSON and becomes infinity, which the schema refuses.
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

    PERF: [ and { differ in one bit, so one comparison finds both. NumPy is ten times faster than bytes.count if the
    text is long, but slower if the text is short.
    """
    if len(raw) < _LONG:
        return raw.count(b"[") + raw.count(b"{")
    return int(np.count_nonzero(np.frombuffer(raw, np.uint8) | 0x20 == ord("{")))


def _strings(raw: bytes) -> int:
    """Estimate the number of strings from the quotation marks. The names in objects are not counted."""
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
    """Return an array with +1 for each opening bracket and -1 for each closing bracket outside of strings, in order.

    PERF: passes in C remove the escaped backslashes, then the escaped quotes, then all bytes except brackets and
    quotes, then the strings. If the end quote of a string is next to the start quote of another string, both quotes are
    removed. The two strings become one, which does not change the brackets outside of strings. A regular expression for
    all escapes would take ten times as long, and CPython would hold the GIL meanwhile.
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
    """Return the `JSONError` for a ValueError of the parser.

    An error of `_refuse_constant` is a `JSONError` already. Any other ValueError comes from int(): too many digits.
    """
    return error if isinstance(error, JSONError) else JSONError("an integer has too many digits")


def _refuse_constant(name: str) -> NoReturn:
    """Raise `JSONError`. The parser calls this hook for NaN, Infinity and -Infinity."""
    raise JSONError(f"{name} is not JSON")


def _read_integer(digits: str) -> int | float:
    """Return the exact integer if it fits in 64 bits, otherwise the nearest float, as orjson does.

    The parser calls this hook for every integer.
    """
    value = int(digits)
    if -(1 << 63) <= value < 1 << 64:
        return value
    return float(digits)


_decoder = JSONDecoder(parse_constant=_refuse_constant, parse_int=_read_integer)
