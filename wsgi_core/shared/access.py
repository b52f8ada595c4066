"""Who may use the service: an API key for everything but health."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

# What load balancers ask, who have no key.
HEALTH = frozenset({"/healthz", "/readyz", "/api/v1/health", "/v2/health/live", "/v2/health/ready"})

WEBHOOKS = "/webhooks/"


def check_api_key(environ: Mapping[str, Any], key: bytes) -> None:
    """Raise Unauthorized (401) unless the request carries ``key``, asks for nothing but health, or is a webhook.

    Compared in a time that does not depend on where the two differ. A preflight never carries a key (Fetch
    standard), and its answer tells nothing about the data; a webhook proves by its signature whose it is.
    Somebody with a browser is asked for it as a password (Basic, RFC 7617), under whatever name.
    """
    path = environ.get("PATH_INFO", "")
    if path in HEALTH or path.startswith(WEBHOOKS) or _is_preflight(environ):
        return
    if not hmac.compare_digest(_given(environ), key):
        raise Unauthorized("A valid API key is needed, as X-API-Key or as a Bearer token", www_authenticate=_SCHEMES)


_SCHEMES = (
    WWWAuthenticate("bearer"),
    WWWAuthenticate("basic", {"realm": "wsgi_core, the API key as password", "charset": "UTF-8"}),
)


def _is_preflight(environ: Mapping[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def _given(environ: Mapping[str, Any]) -> bytes:
    """The key that came with a request; empty without one."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    given = environ.get("HTTP_X_API_KEY") or (token.strip() if scheme.lower() == "bearer" else "")
    if not given and scheme.lower() == "basic" and not _is_foreign(environ):
        return _password(token)
    return str(given).encode("latin-1")


def _password(token: str) -> bytes:
    try:
        return base64.b64decode(token.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _is_foreign(environ: Mapping[str, Any]) -> bool:
    """Whether a page of another origin sends this, to which a browser adds the password by itself.

    APPSEC: else any page that somebody visits could unload their models (CSRF).
    """
    origin = environ.get("HTTP_ORIGIN")
    return origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST")
