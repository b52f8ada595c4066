"""Parses the X-Forwarded-* headers, in which a trusted proxy describes the original request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from waitress.utilities import undquote

from ..shared.settings import Settings
from ..shared.settings.addresses import Network, parse_networks
from .parser import FORWARDED, is_valid_host
from .protocols import Environ

_PARSED = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO"})
# An IP address, or an identifier such as "unknown" in its place (RFC 7239, section 6).
_CLIENT = re.compile(r"[A-Za-z0-9._:%-]+", re.ASCII)
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<v4>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Forwarded(NamedTuple):
    """The client's address and port, the host and the scheme, as a trusted proxy reports them. Each may be empty."""

    client: str = ""
    port: str = ""
    host: str = ""
    scheme: str = ""

    def apply(self, environ: Environ) -> None:
        """Copy the values that are not empty into the environ."""
        if self.client:
            environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = self.client
            if self.port:
                environ["REMOTE_PORT"] = self.port
        if self.scheme:
            environ["wsgi.url_scheme"] = self.scheme
        if self.host:
            name, _, port = self.host.rpartition(":") if _has_port(self.host) else (self.host, "", "")
            environ["HTTP_HOST"] = self.host
            environ["SERVER_NAME"] = name
            environ["SERVER_PORT"] = port or _DEFAULT_PORTS[environ["wsgi.url_scheme"]]


class TrustedProxies:
    """The proxies whose X-Forwarded-* headers the server trusts. `trusts` tells whether an IP address is a trusted
    proxy.
    """

    def __init__(self, settings: Settings) -> None:
        self._count = settings.trusted_proxy_count
        self._trusts_all = settings.trusted_proxy == "*"
        trusted = settings.trusted_proxy
        self._networks: list[Network] = [] if trusted is None or self._trusts_all else parse_networks(trusted)
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def read(self, headers: Mapping[str, str]) -> Forwarded:
        """Parse X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto. Raises ValueError if a header is not valid."""
        client, port = parse_hop(_last(headers.get("HTTP_X_FORWARDED_FOR", ""), self._count))
        host = _unquoted(_last(headers.get("HTTP_X_FORWARDED_HOST", ""), self._count))
        if host and not is_valid_host(host):
            raise ValueError("X-Forwarded-Host is not a host")
        scheme = _unquoted(headers.get("HTTP_X_FORWARDED_PROTO", "")).lower()
        if scheme not in ("", "http", "https"):
            raise ValueError("X-Forwarded-Proto is neither http nor https")
        return Forwarded(client, port, host, scheme)

    def _trusts(self, peer: str) -> bool:
        if self._trusts_all:
            return True
        if not self._networks:
            return False
        address = ipaddress.ip_address(peer.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def remove_untrusted(environ: Environ, trusted: bool) -> None:
    """Remove the forwarding headers from the environ. If `trusted` is true, keep X-Forwarded-For, -Host and -Proto."""
    for name in FORWARDED - _PARSED if trusted else FORWARDED:
        environ.pop(name, None)


def parse_hop(text: str) -> tuple[str, str]:
    """Return the address and the port in one entry of X-Forwarded-For. If one of them is missing, it is an empty
    string.

    Examples are `203.0.113.9`, `203.0.113.9:51234` and `[2001:db8::1]:443`. An identifier, such as `unknown`, is
    returned as the address. Raises ValueError if the entry is not valid.
    """
    text = _unquoted(text)
    if not text:
        return "", ""
    found = _WITH_PORT.fullmatch(text)
    address = (found["v6"] or found["v4"]) if found else text
    if not _CLIENT.fullmatch(address):
        raise ValueError("X-Forwarded-For has an entry that is not an address")
    return _canonical(address), (found["port"] or "") if found else ""


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _last(header: str, count: int) -> str:
    """Return the entry of `header` at position `count` from the end. If there are fewer entries, return the first
    entry.

    Each trusted proxy appends one entry. The first of `count` trusted proxies has appended the returned entry.
    """
    return header.split(",")[-count:][0].strip()


def _unquoted(text: str) -> str:
    text = text.strip()
    unquoted: str = undquote(text) if text else ""
    if unquoted != text and not unquoted.strip():
        raise ValueError("an X-Forwarded-* header is an empty quoted string")
    return unquoted.strip()
