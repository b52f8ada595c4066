"""Hypothesis strategies for WSGI environs, and outcomes of calls in a form that can be compared."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders, Headers, MultiDict

latin1 = st.text(st.characters(max_codepoint=255), max_size=12)
"""Text as in PEP 3333: each character stands for a byte."""

visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


def some(*values: str) -> st.SearchStrategy[str]:
    """Return a strategy that draws one of the values, or any text."""
    return st.sampled_from(values) | latin1


# Content-Lengths: valid ones, and invalid ones that a server should reject but some servers pass on.
lengths = st.sampled_from(
    ["", "0", "1", "5", "007", "-1", "+3", " 2", "x", "5.0", "1_0", "٣", "²", "9999999", "99999999"]
)

environs = st.fixed_dictionaries(
    {
        "REQUEST_METHOD": some("GET", "POST", "HEAD", "OPTIONS", "put", ""),
        "wsgi.url_scheme": st.sampled_from(["http", "https"]),
    },
    optional={
        "PATH_INFO": some("", "/", "/a/b", "//a//b", "a", "/\xc3\xa9", "/\xff"),
        "SCRIPT_NAME": some("", "/app", "/app/", "/\xc3\xa9", "/\xff/"),
        "QUERY_STRING": some("", "a=1&b=2&a=3", "%ff=%00", "&&=&", "a"),
        "SERVER_NAME": some("", "localhost", "::1", "[::1]", "/run/app.sock"),
        "SERVER_PORT": st.sampled_from(["", "80", "443", "8080", "x", "-1"]),
        "REMOTE_ADDR": some("127.0.0.1"),
        "REMOTE_USER": some("ann"),
        "HTTP_HOST": some("", "a.example", "A.example:80", "a:443", "[::1]:8080", "a b", "a..b", "a:b", "x" * 70),
        "HTTP_COOKIE": some("a=1; b=2; a=3", 'a="\\342\\202\\254"', "=;;="),
        "HTTP_ACCEPT": some("text/html, application/json;q=0.5", "*/*", ";;"),
        "HTTP_ACCEPT_LANGUAGE": some("de, en;q=0.1"),
        "HTTP_AUTHORIZATION": some("Basic YTpi", "Basic !", "Bearer x", 'Digest username="a"'),
        "HTTP_CACHE_CONTROL": some("no-cache, max-age=1"),
        "HTTP_RANGE": some("bytes=0-1,3-", "bytes=x"),
        "HTTP_IF_MODIFIED_SINCE": some("Sat, 21 Nov 2026 11:20:12 GMT"),
        "HTTP_IF_NONE_MATCH": some('"a", W/"b"', "*"),
        "HTTP_IF_RANGE": some('"a"'),
        "HTTP_USER_AGENT": latin1,
        "HTTP_X_FORWARDED_FOR": some("1.2.3.4, 5.6.7.8"),
        "HTTP_ORIGIN": latin1,
        "HTTP_REFERER": latin1,
        "CONTENT_TYPE": some("application/json", "application/json; charset=x", "a/b+json", "text/plain"),
        "CONTENT_LENGTH": lengths,
    },
)


class Trickle:
    """An input stream whose only method is `read`, which returns at most two bytes, unless it reads to the end."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(min(size, 2) if size >= 0 else -1)


class Broken:
    """An input stream whose connection breaks after the first read."""

    def __init__(self, data: bytes, error: type[Exception] = OSError) -> None:
        self._data, self._error = data, error

    def read(self, size: int = -1) -> bytes:
        data, self._data = self._data[:3], b""
        if not data or size < 0:  # reading to the end meets the break
            raise self._error("gone")
        return data


STREAMS: dict[str, Callable[[bytes], Any]] = {
    "whole": io.BytesIO,
    "trickle": Trickle,
    "broken": Broken,
    "closed": lambda data: Broken(b"", ValueError),
}


def plain(value: Any) -> Any:
    """Return a value in a form that is compared by its contents, also for Werkzeug's data structures."""
    if isinstance(value, Headers | EnvironHeaders):
        return list(value)
    if isinstance(value, MultiDict):
        return [(key, plain(item)) for key, item in value.items(multi=True)]
    if hasattr(value, "to_header"):
        return type(value).__name__, value.to_header()
    if hasattr(value, "filename") and hasattr(value, "stream"):
        return value.filename, value.mimetype, value.stream.read()
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(item) for item in value]
    return f"{type(value).__name__} {value!r}"


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the result of a call in comparable form, or the class and the message of its exception."""
    try:
        return plain(function(*args, **kwargs))
    except Exception as e:
        return f"{type(e).__name__}: {e}"
