"""What is asked: one request and the status it must get, and how a fresh environ is made from it.

Every request that is timed gets an environ and a stream of its own, as a server would make them. In it stands what
PEP 3333 asks for and the headers of an ordinary client, as wsgiref's server and Werkzeug's put it there. waitress and
gunicorn add ``wsgi.input_terminated``: a case of its own shows what that changes.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loadtests.rungs.work import SECRET_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Row = dict[str, Any]


@dataclass(frozen=True)
class Exchange:
    """A request, and the status that its answer must have."""

    method: str
    path: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    input_terminated: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """The part of the environ that differs from request to request."""
        variables = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        if self.method == "POST":
            variables["CONTENT_TYPE"] = "application/json"
            variables["CONTENT_LENGTH"] = str(len(self.body))
        return {"REQUEST_METHOD": self.method, "PATH_INFO": self.path, "REQUEST_URI": self.path, **variables}


# What a server puts in for each request, with the headers of an ordinary client.
SERVER_VARIABLES = {
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_HOST": "127.0.0.1",
    "REMOTE_PORT": "50004",
    "SERVER_PORT": "8080",
    "SERVER_NAME": "localhost",
    "SERVER_SOFTWARE": "WSGIServer/0.2",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "HTTP_HOST": "127.0.0.1:8080",
    "HTTP_USER_AGENT": "python-requests/2.32",
    "HTTP_ACCEPT": "*/*",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate",
    "HTTP_CONNECTION": "keep-alive",
    "wsgi.url_scheme": "http",
}


class EnvironMaker:
    """Makes environs for a list of exchanges, one after the other, round and round."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._cycle = itertools.cycle([_template(exchange) for exchange in exchanges])

    def make(self) -> WSGIEnvironment:
        """A fresh environ with a stream of its own.

        What an application looks up in a dictionary is a new string each time: one that was a key before keeps
        its hash, and no real request has that luck.
        """
        template, method, path, body = next(self._cycle)
        environ = template.copy()
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["wsgi.input"] = io.BytesIO(body)
        return environ


def _template(exchange: Exchange) -> tuple[WSGIEnvironment, bytes, bytes, bytes]:
    template: WSGIEnvironment = {
        **SERVER_VARIABLES,
        **exchange.variables,
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if exchange.input_terminated:
        template["wsgi.input_terminated"] = True
    return template, exchange.method.encode("latin-1"), exchange.path.encode("latin-1"), exchange.body


def for_case(case: str, rows: Sequence[Row]) -> list[Exchange]:
    """The exchanges of the case called ``case``; raises KeyError for an unknown one."""
    if case in ("predict", "terminated"):
        terminated = case == "terminated"
        return [
            Exchange("POST", "/predict", body=json.dumps(row).encode(), input_terminated=terminated) for row in rows
        ]
    return [_SINGLE_CASES[case]()]


def _large_body() -> Exchange:
    """64 KB of JSON: floats as a client would send them."""
    numbers = random.Random(64)
    values: list[float] = []
    size = 0
    while size < 64 * 1024 - 32:
        values.append(round(numbers.uniform(-100, 100), 6))
        size += len(repr(values[-1])) + 2
    return Exchange("POST", "/count", body=json.dumps({"values": values}).encode())


def _session() -> Exchange:
    """A request with a session cookie, signed as Flask signs it (flask 3.1.3 sessions.py)."""
    from itsdangerous import URLSafeTimedSerializer

    signer = {"key_derivation": "hmac", "digest_method": hashlib.sha1}
    serializer = URLSafeTimedSerializer(SECRET_KEY, salt="cookie-session", signer_kwargs=signer)
    cookie = serializer.dumps({"visits": 1})
    text = cookie if isinstance(cookie, str) else cookie.decode()
    return Exchange("GET", "/session", headers={"Cookie": f"session={text}"})


_SINGLE_CASES: dict[str, Callable[[], Exchange]] = {
    "converter": lambda: Exchange("GET", "/v/1234"),
    "not_found": lambda: Exchange("GET", "/no/such/page", status=404),
    "json_error": lambda: Exchange("GET", "/refused", status=400),
    "body_64k": _large_body,
    "session": _session,
    "static_route": lambda: Exchange("GET", "/hello"),
}
