"""Write a host as a URL has it, and as a client on this machine reaches it."""

from __future__ import annotations

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(text: str) -> list[Network]:
    """Return the networks in a list of addresses and networks, as `10.0.0.0/8,192.0.2.7`. Raises ValueError."""
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",")]


def bracketed(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def local_host(host: str) -> str:
    """Return the host that reaches a server which listens on ``host`` from the same machine, as a URL has it."""
    return bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))
