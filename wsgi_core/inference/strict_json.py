"""A JSON parser that accepts RFC 8259 and nothing else.

orjson parses. It is strict, and five to ten times faster than the standard library. A text that orjson refuses is
parsed once more by the standard library, whose errors say what is wrong and where. The standard library accepts a few
things too much (NaN, Infinity, UTF-16, lone surrogates, any nesting); they are refused before or after.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

import numpy as np
import orjson

MAX_DEPTH = 64
"""The deepest nesting of lists and objects."""
MAX_CONTAINERS = 200_000
"""The largest number of lists and objects in a text. In memory each takes up to a hundred times its bytes."""

MAX_STRINGS = 500_000
"""The largest number of strings in a text, names of members aside. In memory a short one takes many times its bytes."""


class JSONError(ValueError):
    """The text is not accepted as JSON. `message` is one line that says why and, if it is known, where."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(data: bytes | str) -> object:
    """Return the value of a JSON text.

    Raises `JSONError` for everything that is not JSON by RFC 8259: another encoding than UTF-8, a byte order mark,
    NaN and Infinity, half a surrogate pair. Also for more than `MAX_DEPTH` levels, `MAX_CONTAINERS` or `MAX_STRINGS`,
    and for integers of more than 4,300 digits. If an object has a name twice, the last value counts.
    An integer beyond 64 bits becomes the nearest float. A number beyond the range of a float is JSON: it becomes
    infinite, and the schema refuses it.
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
    """Do what `loads` does, with the standard library's parser."""
    text = _decode(raw)
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


def _encode(text: str) -> bytes:
    """Return the text as UTF-8. Raises `JSONError` for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise JSONError(f"not UTF-8 (at offset {error.start})") from None


def _decode(raw: bytes) -> str:
    """Return the text of UTF-8 bytes. Raises `JSONError`."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise JSONError("a byte order mark before the JSON text")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise JSONError(f"not UTF-8 (at offset {error.start})") from None


_LONG = 4096


def _openings(raw: bytes) -> int:
    """Count the opening brackets, those in strings included.

    PERF: [ and { differ in one bit. numpy is ten times faster than bytes.count for a long text, and slower for a short
    one.
    """
    if len(raw) < _LONG:
        return raw.count(b"[") + raw.count(b"{")
    return int(np.count_nonzero(np.frombuffer(raw, np.uint8) | 0x20 == ord("{")))


def _strings(raw: bytes) -> int:
    """Estimate the number of strings, names of members aside, from the quotation marks."""
    quotes = int(np.count_nonzero(np.frombuffer(raw, np.uint8) == ord('"')))
    return quotes // 2 - raw.count(b'":')


_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"?')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def _refuse_structure(raw: bytes) -> None:
    """Raise `JSONError` for too many levels of lists and objects, and for too many of them."""
    steps = _steps(raw)
    if np.cumsum(steps, dtype=np.int32).max(initial=0) > MAX_DEPTH:
        raise JSONError(f"nested deeper than {MAX_DEPTH} levels")
    if np.count_nonzero(steps == 1) > MAX_CONTAINERS:
        raise JSONError(f"more than {MAX_CONTAINERS} lists and objects")


def _steps(raw: bytes) -> np.ndarray:
    """Return +1 for each list and object that begins, -1 for each that ends, in their order.

    PERF: three passes in C remove the escapes, then all bytes but brackets and quotes, then the strings. Removing an
    end quote together with the start quote next to it joins two strings, which changes nothing outside of strings.
    """
    if b"\\" in raw:
        raw = _ESCAPE.sub(b"", raw)
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
    """Raise `JSONError` if an escape is half of a surrogate pair, which UTF-8 cannot encode."""
    for match in _SURROGATES.finditer(text):
        if match["lone"]:
            raise JSONError(f"half a surrogate pair: \\{match['lone']} (at character {match.start()})")


def _from_value_error(error: ValueError) -> JSONError:
    """Return the error itself if it is `_refuse_constant`'s, otherwise the error for too many digits (from int())."""
    return error if isinstance(error, JSONError) else JSONError("an integer has too many digits")


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN, Infinity and -Infinity: a hook of the parser."""
    raise JSONError(f"{name} is not JSON")


def _read_integer(digits: str) -> int | float:
    """Read an integer, exactly within 64 bits as orjson does: a hook of the parser."""
    value = int(digits)
    if -(1 << 63) <= value < 1 << 64:
        return value
    return float(digits)


_decoder = JSONDecoder(parse_constant=_refuse_constant, parse_int=_read_integer)
