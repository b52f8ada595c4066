"""Requests out of a file, as editors' HTTP clients keep them (``.http``, ``.rest``):

    ### a name, or nothing
    POST /predict?explain=1
    Content-Type: application/json

    {"tenure_months": 5}

``###`` begins a further request; ``#`` and ``//`` begin a comment above the first line of one. A body that is
``< name`` is read from the file of that name, beside this one.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from loadtests.instrument.request import Request

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXAMPLE = "GET /path"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Line = tuple[int, str]


class RequestFileError(Exception):
    """A file that holds no requests; the text names the file, the line, and what was expected there."""


def read_requests(path: Path) -> list[Request]:
    """All requests of a file, at least one; raises ``RequestFileError``."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        text_of_error = f"{path}: not UTF-8 at byte {error.start}; put a binary body into a file of its own: < name"
        raise RequestFileError(text_of_error) from error
    found = [_Parser(path, lines).request() for lines in _parts(text) if _first(lines) is not None]
    if not found:
        raise RequestFileError(f"{path}: no request; expected at least a line such as {EXAMPLE!r}")
    return found


def _parts(text: str) -> list[list[Line]]:
    parts: list[list[Line]] = [[]]
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("###"):
            parts.append([])
        else:
            parts[-1].append((number, line))
    return parts


def _first(lines: list[Line]) -> int | None:
    """The place of the first line that is neither blank nor a comment."""
    for place, (_, line) in enumerate(lines):
        if line.strip() and not line.startswith(("#", "//")):
            return place
    return None


class _Parser:
    """One request of the file."""

    def __init__(self, path: Path, lines: list[Line]) -> None:
        self.path = path
        self.lines = lines[_first(lines) or 0 :]

    def request(self) -> Request:
        method, target = self._request_line()
        end = next((place for place, (_, line) in enumerate(self.lines) if not line.strip()), len(self.lines))
        headers = dict(self._header(*line) for line in self.lines[1:end])
        body = self._body([line for _, line in self.lines[end + 1 :]])
        split = urlsplit(target)
        if split.netloc:
            headers.setdefault("Host", split.netloc)
        # PEP 3333 has the path decoded from %XX, its bytes as latin-1.
        path = unquote_to_bytes(split.path or "/").decode("latin-1")
        return Request(method, f"{path}?{split.query}" if split.query else path, body=body, headers=headers)

    def _request_line(self) -> tuple[str, str]:
        number, line = self.lines[0]
        words = line.split()
        if len(words) == 1 and words[0].startswith(("/", "http")):
            words.insert(0, "GET")
        if len(words) not in (2, 3) or words[0].upper() not in METHODS:
            raise self._error(number, f"expected a request line such as 'GET /path', got {line!r}")
        if "{{" in line:
            raise self._error(number, "variables ({{...}}) are not filled in here; write the value")
        if not words[1].startswith(("/", "http://", "https://")):
            raise self._error(number, f"expected a path that begins with /, got {words[1]!r}")
        return words[0].upper(), words[1]

    def _header(self, number: int, line: str) -> tuple[str, str]:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER.fullmatch(name):
            raise self._error(number, f"expected 'Name: value' or a blank line before the body, got {line!r}")
        return name, value.strip()

    def _body(self, lines: list[str]) -> bytes:
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) == 1 and lines[0].startswith("< "):
            beside = self.path.parent / lines[0][2:].strip()
            try:
                return beside.read_bytes()
            except OSError as error:
                raise RequestFileError(f"{self.path}: the body {beside}: {error.strerror}") from error
        return "\n".join(lines).encode()

    def _error(self, number: int, text: str) -> RequestFileError:
        return RequestFileError(f"{self.path}, line {number}: {text}")
