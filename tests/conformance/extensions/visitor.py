"""A client that records the responses, without values that differ from one run to the next."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import URLSafeSerializer
from werkzeug.test import Client


@dataclass(frozen=True)
class Answer:
    """A response, as far as a client can see it."""

    request: str
    status: str
    headers: list[tuple[str, str]]
    body: str


@dataclass
class Visitor:
    """A client of a WSGI application that keeps cookies. It does not depend on either framework."""

    client: Client
    answers: list[Answer] = field(default_factory=list)

    def __call__(self, request: str, status: int, **options: Any) -> str:
        """Send "METHOD /path" with `options` of Werkzeug's EnvironBuilder. Return the unchanged body of the response.

        Raises AssertionError if the response has another status than `status`, so that equal failures on both sides do
        not pass.
        """
        method, path = request.split(" ", 1)
        with self.client.open(path, method=method, **options) as answer:
            body = answer.get_data(as_text=True)
            headers = [(name, steady_header(name, value)) for name, value in answer.headers]
            self.answers.append(Answer(request, answer.status, headers, steady(body)))
            assert answer.status_code == status, self.answers[-1]
        return body


# A token of Flask-WTF: forty random digits in quotes, encoded; then the time and the signature.
_TOKEN = re.compile(r"I[\w-]{55}\.[\w-]{6}\.[\w-]{27}")
_RANDOM = re.compile(r"(?<='csrf_token': ')[0-9a-f]{40}(?=')")
_SESSION = re.compile(r"session=([\w.-]+)\.[\w-]+\.[\w-]+;")
_EXPIRES = re.compile(r"Expires=[^;]+")


def steady(body: str) -> str:
    """Return a body with its CSRF tokens replaced."""
    return _TOKEN.sub("<token>", body)


def steady_header(name: str, value: str) -> str:
    """Return a header's value without times and signatures, with the session decoded, and with Allow sorted."""
    if name == "Set-Cookie":
        opened = _SESSION.sub(lambda found: f"session={_contents(found[1])};", value)
        return _EXPIRES.sub("Expires=<time>", _RANDOM.sub("<random>", opened))
    return ", ".join(sorted(value.split(", "))) if name == "Allow" else value


def _contents(payload: str) -> dict[str, Any]:
    """Return the contents of a signed cookie. The keys keep their order."""
    contents: dict[str, Any] = URLSafeSerializer("any").load_payload(payload.encode())
    return contents
