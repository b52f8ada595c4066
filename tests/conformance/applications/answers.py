"""What is compared of a response: status, headers and body, without what differs from one run to the next."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Of the server and the moment, not of the framework.
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
    """A text without random identifiers and, where `numbers` differ from run to run, without numbers."""
    text = _RANDOM.sub("<id>", text)
    return _NUMBER.sub("<n>", text) if numbers else text


def ask(
    port: int, request: str, body: bytes = b"", headers: Mapping[str, str] | None = None, numbers: bool = False
) -> Answer:
    """Send "METHOD /path" to a server on this machine."""
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
    """A header's value. The methods that are allowed are a set."""
    return ", ".join(sorted(value.split(", "))) if name.lower() == "allow" else steady(value, numbers)


def _counts(name: str) -> bool:
    return name.lower() not in _UNSTEADY
