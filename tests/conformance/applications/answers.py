"""Request a response, and make it comparable: its status, headers and body without values that change between runs."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Headers that depend on the server or on the time, and not on the framework.
_UNSTEADY = {"date", "server", "connection", "transfer-encoding", "content-length", "etag", "last-modified"}
_NUMBER = re.compile(r"\d+(\.\d+)*(e-\d+)?( seconds?)?", re.IGNORECASE)
_RANDOM = re.compile(r'(?<="end_id":")[^"]+|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


@dataclass(frozen=True)
class Answer:
    """One response."""

    request: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


def steady(text: str, numbers: bool) -> str:
    """Return a text with its random identifiers and, if `numbers` is true, its numbers replaced."""
    text = _RANDOM.sub("<id>", text)
    return _NUMBER.sub("<n>", text) if numbers else text


def ask(
    port: int, request: str, body: bytes = b"", headers: Mapping[str, str] | None = None, numbers: bool = False
) -> Answer:
    """Send "METHOD /path" to a server on this machine. Return the comparable response."""
    method, _, path = request.partition(" ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        response = connection.getresponse()
        kept = sorted((name, _header(name, value, numbers)) for name, value in response.getheaders() if _counts(name))
        text = response.read().decode("utf-8", "backslashreplace")
    finally:
        connection.close()
    return Answer(request, response.status, tuple(kept), steady(text.replace(str(port), "<port>"), numbers))


def _header(name: str, value: str, numbers: bool) -> str:
    """Return the comparable value of a header. The methods in Allow are sorted."""
    return ", ".join(sorted(value.split(", "))) if name.lower() == "allow" else steady(value, numbers)


def _counts(name: str) -> bool:
    return name.lower() not in _UNSTEADY
