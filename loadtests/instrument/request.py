"""One HTTP request as bytes. Everything that is sent or measured is made from these bytes.

Load generators send the bytes over a socket. In process, waitress's own parser and task convert the bytes to the
environ. So an application gets the environ that it gets behind waitress, except for the ports, the client's address,
and the variables in ``Request.without``.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any, Self
from wsgiref.types import WSGIEnvironment

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.task import WSGITask

Row = dict[str, Any]
Header = tuple[str, str]
Evict = Callable[[], object]

# This port has five digits, like the free ports on which the measured servers listen.
PORT = 49152
HOST = f"127.0.0.1:{PORT}"
# Headers that a typical client adds to a request.
CLIENT_HEADERS: tuple[Header, ...] = (
    ("User-Agent", "python-requests/2.32"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
)
_SETTINGS = Adjustments()


class RequestError(Exception):
    """The bytes are not exactly one HTTP request, or waitress refuses the request. The message says why."""


@dataclass(frozen=True)
class Request:
    """A request as a client sends it. Its strings are bytes decoded as latin-1.

    ``status`` is the status code that the response must have; 0 accepts any 2xx. ``without`` names environ variables to
    remove.
    """

    method: str
    target: str
    headers: tuple[Header, ...] = CLIENT_HEADERS
    body: bytes = b""
    status: int = 200
    without: tuple[str, ...] = ()

    def message(self, host: str = HOST) -> bytes:
        """Return the bytes to send. A missing Host header is added.

        A missing Content-Length is added if the request has a body or is a POST, PUT or PATCH. With Transfer-Encoding,
        it is not added.
        """
        names = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [] if "host" in names else [f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        has_body = self.body or self.method in ("POST", "PUT", "PATCH")
        if has_body and not names & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self._framed()

    def _framed(self) -> bytes:
        """Return the body as it is sent. If the request has "Transfer-Encoding: chunked", the body is one chunk."""
        encodings = [value.lower() for name, value in self.headers if name.lower() == "transfer-encoding"]
        if not any("chunked" in value for value in encodings):
            return self.body
        chunk = b"%x\r\n%b\r\n" % (len(self.body), self.body) if self.body else b""
        return chunk + b"0\r\n\r\n"

    def expects(self, code: str) -> bool:
        """Return whether the status code ``code`` is expected."""
        return code == str(self.status) if self.status else code.startswith("2")

    def __str__(self) -> str:
        return f"{self.method} {self.target}"

    def to_json(self) -> dict[str, Any]:
        """Return the request as a dict for JSON (see ``from_json``)."""
        return {**asdict(self), "body": self.body.decode("latin-1")}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the request that ``to_json`` converted to ``values``."""
        pairs = tuple((name, value) for name, value in values["headers"])
        body = values["body"].encode("latin-1")
        return cls(**{**values, "headers": pairs, "body": body, "without": tuple(values["without"])})


def json_request(target: str, value: object, **options: Any) -> Request:
    """Return a POST with ``value`` as JSON and the headers of a typical client.

    ``options`` are further fields of the request.
    """
    headers = (*CLIENT_HEADERS, ("Content-Type", "application/json"))
    return replace(Request("POST", target, headers, json.dumps(value).encode()), **options)


def environ_of(message: bytes) -> tuple[WSGIEnvironment, bytes]:
    """Return the environ that waitress makes from ``message``, and the body as bytes. The environ has no
    ``wsgi.input``.

    Raises ``RequestError`` if waitress refuses the bytes, or if they are not exactly one request.
    """
    parser = HTTPRequestParser(_SETTINGS)
    left = message
    while left and not parser.completed:
        left = left[parser.received(left) :]
    if parser.error:
        raise RequestError(f"waitress responds with {parser.error.code} {parser.error.reason}: {parser.error.body}")
    if not parser.completed:
        raise RequestError("the request is not complete: its body is shorter than Content-Length says")
    if left:
        raise RequestError(
            f"{len(left)} bytes follow the end of the request: the body is longer than Content-Length says"
        )
    server = SimpleNamespace(adj=_SETTINGS, effective_port=PORT, server_name=_SETTINGS.server_name)
    channel = SimpleNamespace(server=server, addr=("127.0.0.1", 50004), check_client_disconnected=_still_connected)
    environ: WSGIEnvironment = WSGITask(channel, parser).get_environment()
    body = environ.pop("wsgi.input").read()
    # waitress stores a large body in a file.
    parser.close()
    return environ, body


def _still_connected() -> bool:
    return False


class EnvironMaker:
    """An endless source of environs. After the last of ``requests``, the first follows again.

    ``statuses`` has the expected status line of each request. If ``evict`` is given, it is called before each environ
    is made.
    """

    def __init__(self, requests: Sequence[Request], statuses: Sequence[str] = (), evict: Evict | None = None) -> None:
        known = statuses or [""] * len(requests)
        self._cycle = itertools.cycle([_template(*each) for each in zip(requests, known, strict=True)])
        self.evict = evict

    def make(self) -> tuple[WSGIEnvironment, str]:
        """Return a new environ with its own stream, and the expected status line. Without statuses, the line is empty.

        As in a real request, the method and the path are new strings each time. A reused string already has its hash,
        so look-ups in dicts would be too fast.
        """
        template, method, path, body, status = next(self._cycle)
        if self.evict:
            self.evict()
        environ = template.copy()
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["wsgi.input"] = io.BytesIO(body)
        return environ, status


def _template(request: Request, status: str) -> tuple[WSGIEnvironment, bytes, bytes, bytes, str]:
    environ, body = environ_of(request.message())
    for name in request.without:
        environ.pop(name, None)
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    return environ, method.encode("latin-1"), path.encode("latin-1"), body, status
