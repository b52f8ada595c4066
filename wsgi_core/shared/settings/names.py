"""Validators for host names, addresses, origins and keys in settings.

Each validator returns its value unchanged. If the value is not valid, the validator raises ValueError. The message says
why, and suggests the nearest valid value if there is one.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

LOOPBACK_HOSTS = ("localhost", ".localhost", "127.0.0.1", "::1")
"""The host names and addresses that a server on a loopback address trusts by default."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def is_loopback(host: str) -> bool:
    """Return whether `host` is `localhost` or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


def trusted_host(value: str) -> str:
    """Validate an entry of `trusted_hosts`: a host name, an IP address, or `.example.org` with its subdomains."""
    if "*" in value and not value.lstrip("*.").strip():
        raise ValueError("must not be a wildcard; to accept all names, leave trusted_hosts empty and set any_host")
    nearest = _nearest_host(value)
    if nearest != value:
        raise ValueError(f"must be a host name as in a Host header, without the port{_hint(nearest)}")
    return value


def trusted_proxy(value: str) -> str:
    """Validate `trusted_proxy`: IP addresses and networks, separated by commas, or `*` for every client."""
    if value == "*":
        return value
    for part in map(str.strip, value.split(",")):
        try:
            ipaddress.ip_network(part)
        except ValueError:
            nearest = _hint(_nearest_network(part))
            raise ValueError(f"must be IP addresses or networks (10.0.0.0/8){nearest}") from None
    return value


def cors_origin(value: str) -> str:
    """Validate an entry of `cors_origins`: `*` for all origins, or an origin as browsers send it.

    The origin `null` is refused, because every sandboxed page has this origin.
    """
    if value == "*":
        return value
    if value == "null":
        raise ValueError("must not be null, because that is the origin of every sandboxed page")
    nearest = _nearest_origin(value)
    if nearest != value:
        extra = ". A * must be the only value" if "*" in value else _hint(nearest)
        raise ValueError(f"must be an origin as browsers send it (https://app.example.org){extra}")
    return value


def listen_host(value: str) -> str:
    """Validate a host name or an address to listen on.

    A value is refused only if it has a scheme, brackets, a path or a port.
    """
    nearest = _nearest_host(value)
    if nearest and nearest != value and ("[" in value or "/" in value or value.count(":") == 1):
        raise ValueError(f"must be a host name or an IP address, without scheme, brackets and port{_hint(nearest)}")
    return value


def header_value(value: str) -> str:
    """Validate a key that clients send in a header.

    White space at the start or end is refused, because HTTP removes it. Control characters are refused, because a
    header cannot have them.
    """
    if value != value.strip() or not all(" " <= letter != "\x7f" for letter in value):
        raise ValueError(
            "must not begin or end with white space or contain control characters, because a header value cannot"
        )
    return value


def _hint(nearest: str | None) -> str:
    return f"; the nearest is {nearest}" if nearest else ""


def _nearest_host(value: str) -> str | None:
    """Return the valid host that is nearest to the value, or None if no host can be derived from the value.

    Scheme, path, user, port, brackets and a trailing dot are removed. The host is converted to lower case and to ASCII
    (IDNA). `*.example.org` becomes `.example.org`.
    """
    text = value.strip().lower()
    text = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text)
    text = re.split(r"[/?#]", text, maxsplit=1)[0].rpartition("@")[2]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text))
        except ValueError:
            return None
    wildcard = re.fullmatch(r"\*?\.?(.*?)\.?", text)
    assert wildcard is not None
    dot, name = "." if text.startswith(("*", ".")) else "", wildcard[1]
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return None
    return dot + name if name and all(map(_LABEL.fullmatch, name.split("."))) else None


def _nearest_network(value: str) -> str | None:
    text = value.strip().removeprefix("[").removesuffix("]")
    for candidate in (text, text.partition("]")[0], text.rpartition(":")[0]):
        try:
            found = ipaddress.ip_network(candidate, strict=False)
        except ValueError:
            continue
        return str(found) if "/" in candidate else str(found.network_address)
    return None


def _nearest_origin(value: str) -> str | None:
    text = value.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        return None
    host = _nearest_host(parts.hostname or "")
    if "*" in value or not host or host.startswith(".") or not _SCHEME.fullmatch(parts.scheme):
        return None
    shown = f":{port}" if port and port != _DEFAULT_PORTS.get(parts.scheme) else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{shown}"
