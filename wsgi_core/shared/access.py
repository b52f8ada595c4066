"""Access checks: trusted hosts, API key, content coding, and the origin of requests that change the served models.

The checks use only the request head, so the server can refuse a request before it reads the body.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, SecurityError, Unauthorized, UnsupportedMediaType

from .content_coding import check_coding
from .settings import Settings

HEALTH = frozenset({"/healthz", "/readyz", "/api/v1/health", "/v2/health/live", "/v2/health/ready"})
"""Paths of health checks. They need no API key, because load balancers do not send a key."""

MONITORING = HEALTH | {"/metrics"}
"""Paths of health checks and metrics. Requests for them may have any Host header, unless `check_monitoring_host` is
true."""

WEBHOOKS = "/webhooks/"

OPEN_RULES = HEALTH | {f"{WEBHOOKS}<source>"}
"""The URL rules that need no API key. A webhook is authenticated by its signature."""

CONTROL = "/v2/repository/"
"""Prefix of the paths that load, unload and reload models. The path `/v2/repository/index` only lists models."""

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""The content types that a web page may send to another origin without a preflight (Fetch standard)."""

# A host name without a dot that does not consist of digits alone. Matching takes linear time.
_LABEL = re.compile(r"[0-9]*[a-z_-][a-z0-9_-]*", re.ASCII)

Check = Callable[[Mapping[str, Any]], None]


def access_check(settings: Settings) -> Check:
    """Return a function that takes an environ, and raises an HTTPException if the settings do not allow the request.

    The function reads only the request head, and does not block.
    """
    check_host = _host_check(settings) if settings.trusted_hosts else None
    key = settings.api_key.get_secret_value().encode("utf-8") if settings.api_key else None
    origins = frozenset(settings.cors_origins) - {"*"}

    def check(environ: Mapping[str, Any]) -> None:
        if check_host is not None:
            check_host(environ)
        if key is not None:
            check_api_key(environ, key)
        if "HTTP_CONTENT_ENCODING" in environ:
            check_coding(environ)
        if environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO", "").startswith(CONTROL):
            check_origin(environ, origins)

    return check


def _host_check(settings: Settings) -> Check:
    exempt = frozenset() if settings.check_monitoring_host else MONITORING
    names = frozenset(name for name in settings.trusted_hosts if not name.startswith("."))
    suffixes = tuple(name for name in settings.trusted_hosts if name.startswith("."))
    local_names = settings.local_names

    def check_host(environ: Mapping[str, Any]) -> None:
        if environ.get("PATH_INFO", "") in exempt:
            return
        name = host_name(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))
        if name in names or (local_names and _LABEL.fullmatch(name)):
            return
        if not f".{name}".endswith(suffixes):
            raise SecurityError("The service does not accept this host name")

    return check_host


def host_name(host: str) -> str:
    """Return the host name in a Host header, in lower case, without port, brackets and trailing dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().removesuffix(".")


def check_origin(environ: Mapping[str, Any], allowed: frozenset[str] = frozenset()) -> None:
    """Check the origin of a request that loads, unloads or reloads models.

    Raises Forbidden (403) if Origin or Sec-Fetch-Site shows that a page of another origin sent the request, unless
    `allowed` contains this origin. Raises UnsupportedMediaType (415) if the content type is one of `FORM_TYPES`, or if
    a browser sent no content type.
    """
    path = environ.get("PATH_INFO", "")
    if environ["REQUEST_METHOD"] != "POST" or not path.startswith(CONTROL) or path == f"{CONTROL}index":
        return
    origin = environ.get("HTTP_ORIGIN")
    is_foreign = _is_foreign(environ) or environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin")
    if is_foreign and origin not in allowed:
        raise Forbidden("Pages of other origins may not load or unload models")
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    # Some clients of the Open Inference Protocol send no content type. A browser must send one.
    # Otherwise a page of another origin could send the request without a preflight.
    if mimetype in FORM_TYPES or (not mimetype and _is_browser(environ)):
        raise UnsupportedMediaType("Content-Type must be application/json")


def _is_browser(environ: Mapping[str, Any]) -> bool:
    return any(name in environ for name in ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_REFERER", "HTTP_COOKIE"))


def check_api_key(environ: Mapping[str, Any], key: bytes) -> None:
    """Raise Unauthorized (401) if the request needs an API key and does not carry `key`.

    Health checks, CORS preflights and webhooks need no key. The key may be in X-API-Key, a Bearer token, or the
    password of Basic authentication (RFC 7617).
    """
    path = environ.get("PATH_INFO", "")
    if path in HEALTH or path.startswith(WEBHOOKS) or _is_preflight(environ):
        return
    if not hmac.compare_digest(_given(environ), key):
        raise Unauthorized("A valid API key is required, as X-API-Key or as a Bearer token", www_authenticate=_SCHEMES)


_SCHEMES = (
    WWWAuthenticate("bearer"),
    WWWAuthenticate("basic", {"realm": "wsgi_core: enter the API key as the password", "charset": "UTF-8"}),
)


def _is_preflight(environ: Mapping[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def _given(environ: Mapping[str, Any]) -> bytes:
    """Return the API key that the request carries, or b"" if the request carries no key.

    If the Origin header names another host, a password of Basic authentication is ignored (see `_is_foreign`).
    """
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
    """Return whether the request has an Origin header whose host differs from the Host header.

    APPSEC: a browser adds a stored password to every request to the service. Without this check, a page of another
    origin could send requests with this password (CSRF).
    """
    origin = environ.get("HTTP_ORIGIN")
    return origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST")
