"""A host is written as in a URL."""

from __future__ import annotations

import pytest

from wsgi_core.shared.settings.addresses import bracketed, local_host


@pytest.mark.parametrize(
    ("host", "in_url", "reached"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ("::", "[::]", "[::1]"),
        ("2001:db8::1", "[2001:db8::1]", "[2001:db8::1]"),
        ("localhost", "localhost", "localhost"),
    ],
)
def test_a_host_in_a_url_and_as_it_is_reached(host: str, in_url: str, reached: str):
    assert bracketed(host) == in_url
    assert local_host(host) == reached
