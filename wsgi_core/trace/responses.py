"""Compare the responses of two traces: status, headers and body.

This is needed because events contain only the names of the headers and the lengths of the body's chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from itertools import zip_longest

from .align import Row
from .events import Event, Trace

# Headers whose values may differ even between two responses of the same app.
_VOLATILE_HEADERS = ("date", "server-timing", "x-request-id", "x-response-time-ms")
# The timestamp and the signature that itsdangerous appends to a signed value.
_SIGNATURE = re.compile(r"\.[\w-]{6}\.[\w-]{27,}(?=;|$)")
_EXPIRY = re.compile(r"; *expires=([^;]*)", re.IGNORECASE)
# Two expiry times are equal if they are at most this many seconds apart.
_SAME_TIME = 60.0
_EXCERPT = 40


def compare_answers(left: Trace, right: Trace) -> list[Row]:
    """Return one row for each difference between the two responses. If the responses are equal, return [].

    These differences are ignored:

    - the case of header names, and the order of headers with different names
    - the header Date
    - the values of other headers that change with every request, such as X-Request-Id
    - the timestamp and the signature of a signed cookie
    - up to 60 seconds between the expiry times of two cookies
    """
    rows = []
    if left.status != right.status:
        rows.append(_row("status", left.status, right.status))
    rows += _different_headers(_by_name(left), _by_name(right))
    if left.body != right.body:
        rows.append(_different_body(left.body, right.body))
    return rows


def _row(name: str, left: str | None, right: str | None) -> Row:
    a, b = (None if detail is None else Event("answer", name, detail) for detail in (left, right))
    return Row(a, b)


def _by_name(trace: Trace) -> dict[str, list[str]]:
    """Return the values of each header, in order. The keys are the names in lower case."""
    values: dict[str, list[str]] = {}
    for name, value in trace.headers:
        values.setdefault(name.lower(), []).append(value)
    return values


def _different_headers(left: dict[str, list[str]], right: dict[str, list[str]]) -> Iterator[Row]:
    for name in sorted({*left, *right} - {"date"}):
        a, b = left.get(name, []), right.get(name, [])
        if not all(_same_value(name, x, y) for x, y in zip_longest(a, b)):
            yield _row(name.title(), repr(a)[1:-1] if a else None, repr(b)[1:-1] if b else None)


def _same_value(name: str, a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return False
    if name == "set-cookie":
        return _same_cookie(a, b)
    return a == b or name in _VOLATILE_HEADERS


def _same_cookie(a: str, b: str) -> bool:
    (rest, expiry), (other_rest, other_expiry) = _cookie(a), _cookie(b)
    return rest == other_rest and abs(expiry - other_expiry) <= _SAME_TIME


def _cookie(text: str) -> tuple[str, float]:
    """Return two values: a cookie without the parts that may differ, and its expiry time in seconds since 1970.

    The time is 0 if the cookie has no valid ``expires`` attribute.
    """
    found = _EXPIRY.search(text)
    rest = _SIGNATURE.sub(".signed", text, count=1)
    try:
        return _EXPIRY.sub("; expires", rest), parsedate_to_datetime(found[1]).timestamp() if found else 0.0
    except ValueError:
        return rest, 0.0


def _different_body(left: bytes, right: bytes) -> Row:
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    a, b = (f"{len(body)} bytes, at {at}: {body[at : at + _EXCERPT]!r}" for body in (left, right))
    return _row("body", a, b)
