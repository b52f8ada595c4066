"""Send a request to a WSGI callable or to a server, and return the response in a form that can be compared."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import unquote_to_bytes

_RANDOM_ID = re.compile(r"[0-9a-f]{16}")
_MILLISECONDS = re.compile(r"\d+\.\d{3}")
_SERVER_TIMING = re.compile(r"(\w+;dur=\d+\.\d{3}(, )?)+")


@dataclass(frozen=True)
class Answer:
    """A response: the status line, the headers in their order, and the body."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status.split()[0])

    def header(self, name: str) -> str | None:
        """Return the value of the header ``name``, or None. The header must not occur twice."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1
        return values[0] if values else None

    def comparable(self) -> Answer:
        """Return the response without values that differ between two equal requests.

        These are Date, Expires, durations, a random request id, and the order of the methods in Allow.
        """
        headers = []
        for name, value in self.headers:
            match name.lower():
                case "date":
                    continue
                case "expires":  # relative to the time of the response
                    value = "(time)"
                case "x-response-time-ms":
                    assert _MILLISECONDS.fullmatch(value)
                    value = "(time)"
                case "server-timing":
                    assert _SERVER_TIMING.fullmatch(value)
                    value = _MILLISECONDS.sub("(time)", value)
                case "allow":
                    value = ", ".join(sorted(value.split(", ")))
                case "x-request-id" if _RANDOM_ID.fullmatch(value):
                    value = "(random)"
            headers.append((name, value))
        return Answer(self.status, tuple(headers), self.body)


def environ(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return the environ that a server makes for a request. ``path`` is the target of the request line."""
    raw_path, _, query = path.partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        made[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return made


def call(wsgi_app: Any, environ: dict[str, Any]) -> Answer:
    """Return the response of a WSGI callable. As in a server, the iterable is read to its end and closed."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))
        return written.append

    iterable = wsgi_app(environ, start_response)
    try:
        written.extend(iterable)
    finally:
        if hasattr(iterable, "close"):
            iterable.close()
    status, headers = started[-1]
    return Answer(status, tuple(headers), b"".join(written))


def request_bytes(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Return the bytes of a request. Host, Content-Length and "Connection: close" are added, unless in ``headers``."""
    fields = {"Host": "127.0.0.1", "Content-Length": str(len(body)), "Connection": "close", **headers}
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*head, "", ""]).encode("latin1") + body


def exchange(address: tuple[str, int], sent: bytes, method: str = "GET", *, end: bool = False) -> Answer:
    """Send bytes to a server, and return its response. With ``end``, the client then closes its sending side."""
    with socket.create_connection(address, timeout=20) as connection:
        try:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may respond and close before it has read everything
        response = HTTPResponse(connection, method=method)
        with response:
            response.begin()
            body = response.read()
            status = f"{response.status} {response.reason}"
            return Answer(status, tuple(response.getheaders()), body)


def assert_is_api_answer(answer: Answer, method: str, path: str) -> None:
    """Check what must be true of every response of the service."""
    assert answer.code < 500, answer
    content_type = answer.header("Content-Type")
    length = answer.header("Content-Length")
    assert length is not None
    if method != "HEAD":
        assert int(length) == len(answer.body)
    if answer.code == 405:
        assert answer.header("Allow")
    good = answer.code == 200
    if good and path.partition("?")[0] in {"/", "/healthz", "/%68ealthz"}:
        return
    if answer.body:
        assert content_type == "application/json"
        payload = json.loads(answer.body.decode("utf-8"))
        assert isinstance(payload, dict)
        assert ("error" in payload) is not good
