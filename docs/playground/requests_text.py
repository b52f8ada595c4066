"""Parse requests from a text in the format of .http files.

A request has a line with the method and the path, then header lines, an empty line, and the body.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from wsgi_core.commands.learn.curl import curl_line

_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)  # RFC 9110, 5.6.2
_BETWEEN = re.compile(r"^###.*$", re.MULTILINE)


class RequestError(Exception):
    """Raised if the text is not a valid request. The message shows the wrong part, and says what to write instead."""


@dataclass
class Request:
    """A parsed request."""

    method: str
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    def options(self, cookies: dict[str, str]) -> dict[str, t.Any]:
        """Return the request as arguments of Werkzeug's EnvironBuilder.

        `cookies` are sent unless the request has a Cookie header.
        """
        headers = list(self.headers)
        if cookies and "cookie" not in {name.lower() for name, _ in headers}:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        options: dict[str, t.Any] = {"path": self.path, "method": self.method, "headers": headers}
        return {**options, "data": self.body.encode()} if self.body else options


def parse_requests(text: str) -> list[Request]:
    """Return the requests in a text. Lines that begin with ### separate the requests.

    Raises RequestError if the text has no request, or if a request is not valid.
    """
    parts = [part for part in _BETWEEN.split(text.replace("\r\n", "\n")) if part.strip()]
    if not parts:
        raise RequestError("The request is empty: write a line such as GET / or POST /sum.")
    return [_parse(part.strip("\n")) for part in parts]


def _parse(text: str) -> Request:
    head, _, body = text.partition("\n\n")
    first, *lines = [line for line in head.split("\n") if line.strip()]
    method, path = _request_line(first)
    headers = [_header(line) for line in lines]
    body = body.rstrip("\n")
    if body and "content-type" not in {name.lower() for name, _ in headers} and _is_json(body):
        headers.append(("Content-Type", "application/json"))
    return Request(method, path, headers, body)


def _request_line(line: str) -> tuple[str, str]:
    words = line.split()
    if len(words) == 1 and words[0].startswith("/"):
        words = ["GET", *words]
    if len(words) == 3 and words[2].startswith("HTTP/"):
        words.pop()
    if len(words) != 2 or not _TOKEN.fullmatch(words[0]):
        raise RequestError(f"{line!r} is not a request line. It has a method and a path: POST /sum")
    method, path = words
    if not path.startswith(("/", "http://", "https://")) or not path.isprintable():
        raise RequestError(f"{path!r} is not a path: a path starts with /")
    return method.upper(), path


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise RequestError(
            f"{line!r} is not a header. Write a header as Name: value, and an empty line before the body."
        )
    return name.strip(), value.strip()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def as_curl(request: Request) -> str:
    """Return the curl command that sends the request to a server on your machine."""
    return curl_line(request.method, request.path, request.headers, request.body)
