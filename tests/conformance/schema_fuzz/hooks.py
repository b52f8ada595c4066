"""Hooks for what schemathesis cannot generate from the description: JSON Lines, and the signature of a webhook."""

from __future__ import annotations

import json
from typing import Any

import requests
import schemathesis
from requests.auth import AuthBase

from wsgi_core.shared.streaming import LINES
from wsgi_core.shared.webhooks import SIGNATURE, sign

SECRET = "a secret of the tests alone"
SOURCE = "github"


class Signed(AuthBase):
    """An authentication that replaces the signature of a webhook, if the request has one, with a valid signature."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if SIGNATURE in request.headers:
            body = request.body or b""
            request.headers[SIGNATURE] = sign(SECRET.encode(), body if isinstance(body, bytes) else body.encode())
        return request


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Sign requests to webhooks."""
    if case.operation.path.startswith("/webhooks"):
        kwargs["auth"] = Signed()


@schemathesis.serializer(LINES)
def write_lines(context: Any, value: Any) -> bytes:
    """Return a body with one line of JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()
