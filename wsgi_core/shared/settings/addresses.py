"""Parse networks, and write hosts in URLs."""

from __future__ import annotations

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(text: str) -> list[Network]:
    """Parse addresses and networks that are separated by commas, such as `10.0.0.0/8,192.0.2.7`.

    Raises ValueError if an address or network is not valid.
    """
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",")]


def bracketed(host: str) -> str:
    """Return the host as it is written in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def local_host(host: str) -> str:
    """Return the host for the URL of a server that listens on `host`, for clients on the same machine.

    If the server listens on all addresses, the host is a loopback address.
    """
    return bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))
