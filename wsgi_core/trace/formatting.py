"""Format values for the HTML page of a trace: short, without secrets, and without running code of the app.

A value is a secret if its name suggests this, for example ``password``. The ``__repr__`` of a value may be code of the
app. Therefore, only values of some types are shown, such as strings, numbers, lists, dicts, headers and URL rules. For
any other value, the name of its class is shown.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from itertools import islice

from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.routing import Rule

REDACTED = "not shown"
_MAX_LENGTH = 160
_MAX_ITEMS = 12
_MAX_DEPTH = 3
_MAX_BODY = 400
_MAX_INTEGER = 1 << 1000

_NAMES = (
    "passw|passphrase|pwd|secret|token|credential|api[_-]?key|private[_-]?key|csrf|xsrf|cookie|signature"
    "|session[_-]?id|auth(?!ors?(?![a-z])|enticat)"
)
_SECRET = re.compile(_NAMES, re.IGNORECASE)
_VALUE = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[\[{].*|(?:bearer|basic|digest)\s+\S+|[^\s&;,"'<>]+"""
_PAIR = re.compile(rf"""([\w.-]*(?:{_NAMES})[\w.-]*\\?["']?\s*[=:]\s*)(?:{_VALUE})""", re.IGNORECASE | re.DOTALL)
_USER_OF_URL = re.compile(r"(://)[^/?#\s]*@")
# An annotation, such as `: str` or `: dict[str, str] | None`.
_ANNOTATION = r" ?: ?[A-Za-z_][\w.| ]{0,60}(?:\[[\w.,| \[\]]{0,60}\][\w.| ]{0,60})?"
_OPENING = rf"""(?:{_ANNOTATION})?\s*(?::=|[=!]=|[=:])[\s(]*[rbfut]{{0,2}}("{{3}}|'{{3}}|"|')"""
_LITERAL = re.compile(rf"""((?:{_NAMES})\w*["']?\]?{_OPENING})((?:\\.|(?!\2).)+)""", re.IGNORECASE)


def is_secret(name: t.Any) -> bool:
    """Return whether `name` suggests that its value is a secret. If `name` is not a string, return False.

    The name may be that of a header, a form field or an attribute.
    """
    return issubclass(type(name), str) and _SECRET.search(name) is not None


def redact(text: str) -> str:
    """Return the text with an ellipsis instead of each secret.

    A secret is the value after a name such as `password`, `token` or `api_key` (see `_NAMES`), or the user and the
    password in a URL. A password in a URL is recognised only if characters such as `/` in it are percent-encoded.
    """
    return _USER_OF_URL.sub(r"\1…@", _PAIR.sub(r"\1…", text))


def redact_source(line: str) -> str:
    """Return a line of source code in which dots replace the string literal after each name of a secret.

    Between the name and the literal, there must be ``=``, ``:``, ``:=``, ``==`` or ``!=``. An annotation and opening
    parentheses are also allowed there. Only the first literal after the name is replaced, and only on this line.
    """
    return _LITERAL.sub(lambda found: found[1] + "•" * len(found[3]), line)


def printable(text: str) -> str:
    """Return the text with an escape for each character that is not printable, because a terminal may interpret it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def format_value(value: t.Any, depth: int = _MAX_DEPTH) -> str:
    """Return the value as one short line, without secrets.

    A container is written out to `depth` levels, of which the container itself is the first. A container at a deeper
    level is shown as `<list of 2>`.
    """
    # Not isinstance: on a proxy it reads the proxied object, and reading a session marks the session as accessed.
    kind = type(value)
    if issubclass(kind, str):
        return _cut(repr(redact(str.__str__(value)[: 4 * _MAX_LENGTH])))
    if kind in (bytes, bytearray):
        return _format_bytes(bytes(value))
    if value is None or kind in (bool, float):
        return repr(value)
    if kind is int:
        return repr(value) if abs(value) < _MAX_INTEGER else f"<{_class(value)}>"
    if issubclass(kind, dict) or kind in (list, tuple, set, frozenset):
        return _cut(_format_container(value, depth))
    if kind in (Headers, EnvironHeaders):
        return _cut(", ".join(f"{name}: {format_header(name, text)}" for name, text in islice(value, _MAX_ITEMS)))
    return f"<Rule {value.rule!r}>" if kind is Rule else f"<{_class(value)}>"


def _class(value: t.Any) -> str:
    return type(value).__name__


def _cut(text: str, longest: int = _MAX_LENGTH) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _format_bytes(value: bytes) -> str:
    text = value[: 4 * _MAX_LENGTH].decode("latin1")
    return _cut("b" + repr(redact(text))) if text.isascii() else f"<{len(value)} bytes>"


def _format_container(value: t.Any, depth: int) -> str:
    name = _class(value)
    if not depth:
        return f"<{name} of {len(value)}>"
    if issubclass(type(value), dict):
        # A session is a subclass of dict that records when it is read. The methods of dict itself do not.
        items = [
            f"{format_value(key, 0)}: {REDACTED if is_secret(key) else format_value(item, depth - 1)}"
            for key, item in islice(dict.items(value), _MAX_ITEMS)
        ]
        text = f"{{{_listed(items, dict.__len__(value))}}}"
        return text if type(value) is dict else f"{name}({text})"
    items = [format_value(item, depth - 1) for item in islice(value, _MAX_ITEMS)]
    begin, end = {"list": ("[", "]"), "tuple": ("(", ")")}.get(name, ("{", "}"))
    return f"{begin}{_listed(items, len(value))}{end}"


def _listed(items: list[str], length: int) -> str:
    return ", ".join([*items, "…"] if length > len(items) else items)


def format_header(name: str, value: str) -> str:
    """Return the value of a header, without secrets. For Set-Cookie, leave out the value of the cookie."""
    text = repr(redact(value[: 4 * _MAX_LENGTH]) if not is_secret(name) else value)[1:-1]
    if name.lower() == "set-cookie":
        pair, _, attributes = text.partition(";")
        return _cut(f"{pair.partition('=')[0]}=…;{attributes}" if attributes else f"{pair.partition('=')[0]}=…")
    return REDACTED if is_secret(name) else _cut(text)


def format_attributes(attributes: Iterable[tuple[str, t.Any]]) -> dict[str, str]:
    """Return an object's attributes as strings, keyed by name, without secrets."""
    return {
        _cut(name if name.isprintable() else repr(name)[1:-1]): REDACTED if is_secret(name) else format_value(value)
        for name, value in attributes
    }


def format_body(body: bytes, length: int) -> str:
    """Return the beginning of a body if it is text. Otherwise, return its length, such as `12 bytes`, or `empty`.

    `body` is the body or its beginning. `length` is the length of the whole body in bytes.
    """
    if not length:
        return "empty"
    try:
        text = body[:_MAX_BODY].decode()
    except UnicodeDecodeError as e:
        # The cut may have split a character.
        if e.start < _MAX_BODY - 4 or length <= _MAX_BODY:
            return f"{length} bytes"
        text = body[: e.start].decode()
    readable = text.replace("\n", "").replace("\t", "").isprintable()
    if not readable:
        return f"{length} bytes"
    more = f" … {length} bytes" if length > len(text.encode()) else ""
    return redact(text) + more
