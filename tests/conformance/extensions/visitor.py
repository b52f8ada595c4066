"""A client that writes down what it was answered, without what differs from one run to the next."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import URLSafeSerializer
from werkzeug.test import Client


@dataclass(frozen=True)
class Answer:
    """What a client sees of one response."""

    request: str
    status: str
    headers: list[tuple[str, str]]
    body: str


@dataclass
class Visitor:
    """Sends requests to a WSGI application, and keeps its cookies. Knows neither of the frameworks."""

    client: Client
    answers: list[Answer] = field(default_factory=list)

    def __call__(self, request: str, status: int, **options: Any) -> str:
        """Send "METHOD /path" with werkzeug's `options` for a request; the body of the answer, as it came.

        Raises AssertionError unless the answer has the `status`, so that two equal failures are no success.
        """
        method, path = request.split(" ", 1)
        with self.client.open(path, method=method, **options) as answer:
            body = answer.get_data(as_text=True)
            headers = [(name, steady_header(name, value)) for name, value in answer.headers]
            self.answers.append(Answer(request, answer.status, headers, steady(body)))
            assert answer.status_code == status, self.answers[-1]
        return body


# Flask-WTF's tokens: forty random digits in quotes, encoded, then the time, then the signature.
_TOKEN = re.compile(r"I[\w-]{55}\.[\w-]{6}\.[\w-]{27}")
_RANDOM = re.compile(r"(?<='csrf_token': ')[0-9a-f]{40}(?=')")
_SESSION = re.compile(r"session=([\w.-]+)\.[\w-]+\.[\w-]+;")
_EXPIRES = re.compile(r"Expires=[^;]+")


def steady(body: str) -> str:
    """A body without the digits of CSRF tokens."""
    return _TOKEN.sub("<token>", body)


def steady_header(name: str, value: str) -> str:
    """A header without times and signatures, with a session's contents in the clear, and with sets in order."""
    if name == "Set-Cookie":
        opened = _SESSION.sub(lambda found: f"session={_contents(found[1])};", value)
        return _EXPIRES.sub("Expires=<time>", _RANDOM.sub("<random>", opened))
    return ", ".join(sorted(value.split(", "))) if name == "Allow" else value


def _contents(payload: str) -> dict[str, Any]:
    """What a signed cookie holds. Its keys keep their order."""
    contents: dict[str, Any] = URLSafeSerializer("any").load_payload(payload.encode())
    return contents
