"""Read requests from a file in the format of the HTTP clients of VS Code and JetBrains (``.http``, ``.rest``):

    @host = 127.0.0.1:8080

    ### an optional name
    # @name predict
    POST http://{{host}}/predict?explain=1
    Content-Type: application/json

    {"tenure_months": 5}

``###`` begins another request. Above a body, ``#`` and ``//`` begin a comment. In a body, a line ``< path`` is replaced
by the contents of a file, relative to the folder of the request file. With ``<@ path``, variables in these contents are
replaced too. ``{{$processEnv NAME}}`` is replaced by an environment variable.

Response handlers (``> {% ... %}``, ``>> file``) and settings (``# @no-log``) are ignored. Scripts, prompts, imports,
loops, generated values and other protocols are errors.
"""

from __future__ import annotations

import base64
import os
import re
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import quote

from click import UsageError

from loadtests.instrument.request import Header, Request, RequestError, environ_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OTHER_PROTOCOLS = ("CONNECT", "GRAPHQL", "GRPC", "WEBSOCKET", "RSOCKET", "curl")
EXAMPLE = "GET /path"
VERSION = "HTTP/1.1"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_DEFINITION = re.compile(r"@([^\s=]+)\s*=\s*(.*)")
_TAG = re.compile(r"(?:#|//)\s*@(prompt|ref|forceRef|import|loop|script)\b")
_HANDLER = re.compile(r"> \{%|> \S+\.js$|>>!? ?\S|<> \S")
_URL = re.compile(r"https?://([^/?#\s]+)([^\s#]*.*)", re.IGNORECASE)
# Bytes that are sent unchanged in a request target. Other bytes are sent as %XX, as editors do.
_AS_THEY_ARE = "".join(map(chr, range(0x21, 0x7F)))

# Lines are bytes decoded as latin-1. strip() and split() without arguments would treat U+0085 and U+00A0 as blanks.
_BLANKS = " \t\r\n\f\v"


def _words(text: str) -> list[str]:
    return re.findall(r"[^ \t]+", text.strip(_BLANKS))


class HttpFileError(UsageError):
    """A request file cannot be read or is not valid. The message names the file and, if known, the line."""


class Line(NamedTuple):
    """A line of a request file: its number, its bytes decoded as latin-1, and its line ending."""

    number: int
    text: str
    end: str = "\n"

    @property
    def is_comment(self) -> bool:
        """Whether the line begins like a comment. In a body, such a line is text."""
        return self.text.startswith(("#", "//"))


def read_requests(path: Path) -> list[Request]:
    """Return the requests of the request file ``path``, at least one.

    Raises ``HttpFileError`` if the file cannot be read, is not valid, or has no request.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HttpFileError(f"{path}: {error.strerror}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise HttpFileError(f"{path}: the file is UTF-16; save it as UTF-8")
    file = _File(path, _lines(data.removeprefix(b"\xef\xbb\xbf")))
    found = [_Parser(file, part).request() for part in file.parts if part]
    if not found:
        raise HttpFileError(f"{path}: no request; expected at least a line such as {EXAMPLE!r}")
    return found


def _lines(data: bytes) -> list[Line]:
    # Not splitlines(), which also ends a line at eight other characters.
    pieces = data.decode("latin-1").split("\n")
    return [
        Line(number, text.removesuffix("\r"), "\r\n" if text.endswith("\r") else "\n")
        for number, text in enumerate(pieces, start=1)
    ]


class _File:
    """A request file: its variables, and the lines of each request, beginning with the request line."""

    def __init__(self, path: Path, lines: list[Line]) -> None:
        self.path = path
        self.variables: dict[str, str] = {}
        self.parts: list[list[Line]] = [[]]
        for line in lines:
            if line.text.startswith("###"):
                self.parts.append([])
            elif self.parts[-1] or self._begins_request(line):
                self.parts[-1].append(line)

    def _begins_request(self, line: Line) -> bool:
        """Return whether a request begins with this line. If the line defines a variable, store the variable.

        Raises ``HttpFileError`` if the line is a tag or a script that is not supported.
        """
        if tag := _TAG.match(line.text):
            self.refuse(line, f"@{tag[1]} is not supported")
        if line.is_comment or not line.text.strip(_BLANKS):
            return False
        if definition := _DEFINITION.fullmatch(line.text.strip(_BLANKS)):
            self.variables[definition[1]] = definition[2].strip(_BLANKS)
            return False
        self.refuse_script(line)
        return True

    def filled(self, line: Line, depth: int = 0) -> str:
        """Return the text of ``line`` with the variables replaced by their values.

        Values may contain variables too. ``depth`` counts the nested calls, so that a cycle ends. Raises
        ``HttpFileError`` if a variable is not defined or not supported.
        """

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("$processEnv "):
                return os.environ.get(name.removeprefix("$processEnv ").strip(_BLANKS), "").encode().decode("latin-1")
            if name.startswith("$"):
                self.refuse(line, f"{{{{{name}}}}} has a different value each time; write a fixed value")
            if name not in self.variables or depth > 9:
                self.refuse(line, f"{{{{{name}}}}} is not defined in this file: add a line @{name} = value")
            return self.filled(line._replace(text=self.variables[name]), depth + 1)

        return _VARIABLE.sub(value, line.text)

    def read(self, line: Line, name: str) -> bytes:
        """Return the contents of the file ``name``, relative to the folder of the request file.

        Raises ``HttpFileError`` with the number of ``line`` if the file ``name`` cannot be read.
        """
        beside = self.path.parent / name.strip(_BLANKS).encode("latin-1").decode("utf-8", "replace")
        try:
            return beside.read_bytes()
        except OSError as error:
            self.refuse(line, f"the body cannot be read from {beside}: {error.strerror}")

    def refuse_script(self, line: Line) -> None:
        if line.text.startswith("< {%"):
            self.refuse(line, "a script before the request (< {% ... %}) is not supported")

    def refuse(self, line: Line, text: str) -> NoReturn:
        """Raise ``HttpFileError`` with ``text`` as the reason and the number of ``line``."""
        shown = text.encode("latin-1", "replace").decode("utf-8", "replace")
        raise HttpFileError(f"{self.path}, line {line.number}: {shown}")


class _Parser:
    """A parser of one request of a request file."""

    def __init__(self, file: _File, lines: list[Line]) -> None:
        self.file, self.lines = file, lines
        self.first = lines[0]

    def request(self) -> Request:
        end = next((place for place, line in enumerate(self.lines) if not line.text.strip(_BLANKS)), len(self.lines))
        head = [line for line in self.lines[:end] if not line.is_comment]
        further = (n for n, line in enumerate(head[1:], 1) if not line.text.lstrip(_BLANKS).startswith(("?", "&")))
        rest = next(further, len(head))
        method, url = self._request_line(self.file.filled(self.first).strip(_BLANKS), head[1:rest])
        target, headers = self._target(url)
        given = [self._header(line) for line in head[rest:]]
        if any(name.lower() == "host" for name, _ in given):
            headers = []
        body = self._body(self._without_handlers(self.lines[end + 1 :]), {name.lower(): value for name, value in given})
        request = Request(method, target, (*headers, *given), body)
        try:
            environ_of(request.message())
        except RequestError as error:
            self.file.refuse(self.first, str(error))
        return request

    def _request_line(self, text: str, more: list[Line]) -> tuple[str, str]:
        """Return the method and the URL of the request line ``text``. The lines ``more`` continue the URL's query."""
        words = _words(text)
        if not words:
            self.file.refuse(self.first, f"the variables in {self.first.text!r} leave no request line")
        if words[0] in OTHER_PROTOCOLS:
            self.file.refuse(self.first, f"{words[0]} requests are not supported")
        if words[0].startswith(("/", "http://", "https://")):
            words.insert(0, "GET")
            text = f"GET {text}"
        if len(words) < 2 or words[0].upper() not in METHODS:
            self.file.refuse(self.first, f"expected a request line such as 'GET /path', got {text!r}")
        if len(words) > 2 and words[-1].upper().startswith("HTTP/"):
            if words[-1].upper() != VERSION:
                self.file.refuse(self.first, f"{words[-1]} is not supported; write {VERSION}")
            text = text[: text.rindex(words[-1])]
        url = text.partition(words[0])[2].strip(_BLANKS)
        return words[0].upper(), url + "".join(self.file.filled(line).strip(_BLANKS) for line in more)

    def _target(self, url: str) -> tuple[str, list[Header]]:
        """Return the request target and, if the URL is absolute, the Host header."""
        headers: list[Header] = []
        if whole := _URL.fullmatch(url):
            authority, url = whole.groups()
            if "@" in authority:
                self.file.refuse(self.first, "a password in the URL is not supported; write an Authorization header")
            headers = [("Host", authority)]
            url = url if url.startswith("/") else f"/{url}"
        if not url.startswith("/"):
            self.file.refuse(self.first, f"expected a path that begins with /, or a URL with http://, got {url!r}")
        return quote(url.partition("#")[0], safe=_AS_THEY_ARE, encoding="latin-1"), headers

    def _header(self, line: Line) -> Header:
        name, colon, value = self.file.filled(line).partition(":")
        if not colon or not _HEADER.fullmatch(name):
            self.file.refuse(line, f"expected 'Name: value' or a blank line before the body, got {line.text!r}")
        value = value.strip(_BLANKS)
        return name, self._credentials(line, value) if name.lower() == "authorization" else value

    def _credentials(self, line: Line, value: str) -> str:
        """Return the value to send in the Authorization header.

        A user name and password after ``Basic`` are encoded in base64. Digest, AWS and NTLM are refused, because their
        value differs from request to request.
        """
        kind, _, rest = value.partition(" ")
        if kind.lower() in ("digest", "aws", "ntlm"):
            self.file.refuse(line, f"Authorization: {kind} is not supported; write the value to send")
        pair = rest.strip(_BLANKS) if ":" in rest else ":".join(_words(rest)) if " " in rest.strip(_BLANKS) else ""
        if kind.lower() != "basic" or not pair:
            return value
        return f"{kind} {base64.b64encode(pair.encode('latin-1')).decode()}"

    def _without_handlers(self, lines: list[Line]) -> list[Line]:
        """Return the lines of the body without trailing blank lines and without response handlers."""
        end = next((place for place, line in enumerate(lines) if _HANDLER.match(line.text)), len(lines))
        within = False
        for line in lines[end:]:
            within = within or line.text.startswith("> {%")
            if not within and line.text.strip(_BLANKS) and not _HANDLER.match(line.text):
                self.file.refuse(line, f"expected nothing more after {lines[end].text!r}, got {line.text!r}")
            within = within and "%}" not in line.text
        body = lines[:end]
        while body and not body[-1].text.strip(_BLANKS):
            body.pop()
        return body

    def _body(self, lines: list[Line], headers: dict[str, str]) -> bytes:
        kind = headers.get("content-type", "").lower()
        if kind.startswith("multipart/"):
            return b"".join(self._content(line) + b"\r\n" for line in lines)
        form = kind.startswith("application/x-www-form-urlencoded")
        body = b""
        for line, following in zip_longest(lines, lines[1:]):
            body += self._content(line)
            # Editors allow each field of a form on its own line.
            if following and not (form and following.text.startswith("&")):
                body += line.end.encode()
        return body

    def _content(self, line: Line) -> bytes:
        """Return the bytes to send for a line of the body: its text or, for ``< path``, the contents of ``path``."""
        self.file.refuse_script(line)
        if line.text.startswith("< "):
            return self.file.read(line, line.text[2:])
        if line.text.startswith("<@ "):
            read = self.file.read(line, line.text[3:]).decode("latin-1")
            return self.file.filled(line._replace(text=read)).encode("latin-1")
        if re.match(r"<@\w", line.text):
            self.file.refuse(line, "an encoding (<@latin1 ...) is not supported; save the file as UTF-8")
        return self.file.filled(line).encode("latin-1")
