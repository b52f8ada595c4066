"""Applications that do only a library's work for a case, without a framework.

A *case* is one kind of request. The cost of the library's work is the part of the case's cost that both frameworks have
in common.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from itsdangerous import URLSafeTimedSerializer

from loadtests.rungs.work import SECRET_KEY, to_json

# flask 3.1.3: Config's PERMANENT_SESSION_LIFETIME, 31 days, in seconds.
LIFETIME = 31 * 24 * 60 * 60


def create_body_app() -> WSGIApplication:
    """Make an application that parses the JSON body and responds with the number of items in ``values``."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        values = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["values"]
        return _answer({"count": len(values)}, start_response)

    return application


def session_serializer() -> URLSafeTimedSerializer:
    """Return a serializer that signs session cookies as Flask does.

    Source: flask 3.1.3 sessions.py: SecureCookieSessionInterface.
    """
    signer = {"key_derivation": "hmac", "digest_method": hashlib.sha1}
    return URLSafeTimedSerializer(SECRET_KEY, salt="cookie-session", signer_kwargs=signer)


def create_session_app() -> WSGIApplication:
    """Make an application that verifies the session cookie, changes the session, and signs it again.

    The digest is ``hashlib.sha1`` itself, so ``hmac`` runs in C. Flask's digest is a Python function around
    ``hashlib.sha1``, so ``hmac`` partly runs in Python there.
    """
    serializer = session_serializer()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = serializer.loads(environ["HTTP_COOKIE"].partition("=")[2], max_age=LIFETIME)
        session["visits"] += 1
        cookie = f"session={serializer.dumps(session)!s}; HttpOnly; Path=/"
        return _answer(session, start_response, ("Vary", "Cookie"), ("Set-Cookie", cookie))

    return application


def _answer(value: object, start_response: StartResponse, *headers: tuple[str, str]) -> Iterable[bytes]:
    body = to_json(value)
    length = str(len(body))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", length), *headers])
    return [body]
