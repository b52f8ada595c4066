"""Forwarded headers are accepted only from the trusted proxy, and invalid values are rejected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.serving.running import Client, request, running
from wsgi_core.serving.proxies import TrustedProxies
from wsgi_core.shared.settings import Settings


def forwarded(**settings: Any) -> dict[str, Any]:
    """Return the environ of a request with forwarded headers."""
    with running(**settings) as server:
        client: Client = server.connect()
        client.send(
            b"GET /a HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Host: outer.test\r\n\r\n"
        )
        assert client.answer().status == 200
        environ: dict[str, Any] = server.app.seen[0]
        return environ


def test_what_a_client_says_about_being_forwarded_is_not_believed():
    environ = forwarded()
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == "inner"
    assert not [name for name in environ if "FORWARDED" in name]


def test_what_the_trusted_proxy_says_is_believed():
    environ = forwarded(trusted_proxy="127.0.0.1")
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == "outer.test"


def test_another_proxy_is_not_believed():
    assert forwarded(trusted_proxy="192.0.2.1")["REMOTE_ADDR"] == "127.0.0.1"


MALFORMED = [
    {"X_Forwarded_Proto": "https, http"},
    {"X_Forwarded_Proto": "gopher"},
    {"X_Forwarded_Proto": '"'},
    {"X_Forwarded_For": '" "'},
    {"X_Forwarded_For": '"'},
    {"X_Forwarded_Host": '"'},
]  # fmt: skip


@pytest.mark.parametrize("headers", MALFORMED)
def test_what_makes_no_sense_is_refused_in_json_and_the_connection_stays(headers: dict[str, str]):
    with running(trusted_proxy="127.0.0.1") as server:
        client = server.connect()
        reply = client.ask("/a", **headers)
        assert reply.status == 400
        assert "X-Forwarded-*" in reply.error
        client.send(request("HEAD", "/a", **headers))
        assert client.answer("HEAD").status == 400
        assert client.ask("/a").status == 200
        assert len(server.app.seen) == 1


@pytest.mark.parametrize("headers", MALFORMED)
def test_from_anybody_else_it_does_not_count(headers: dict[str, str]):
    with running() as server:
        assert server.connect().ask("/a", **headers).status == 200


def test_the_log_has_no_more_than_a_line_of_it(caplog: pytest.LogCaptureFixture):
    with running(trusted_proxy="127.0.0.1") as server:
        assert server.connect().ask("/a", X_Forwarded_Proto="x" * 8000).status == 400
    (record,) = caplog.records
    assert len(record.getMessage()) < 400


def test_the_clients_of_a_proxy_are_counted_one_by_one():
    with running(max_per_client=1, trusted_proxy="127.0.0.1") as server:
        server.connect().get("/work", X_Forwarded_For="192.0.2.7")
        server.app.wait_begun()
        assert server.connect().ask("/a", X_Forwarded_For="192.0.2.7").status == 429
        assert server.connect().ask("/a", X_Forwarded_For="192.0.2.8").status == 200


def test_clients_are_told_apart_by_address_and_not_by_port():
    with running(max_per_client=1, trusted_proxy="127.0.0.0/8") as server:
        server.connect().get("/work", X_Forwarded_For="203.0.113.9:1111")
        server.app.wait_begun()
        assert server.connect().ask("/a", X_Forwarded_For="203.0.113.9:2222").status == 429
        assert server.connect().ask("/a", X_Forwarded_For="203.0.113.10:1111").status == 200
        environ = server.app.seen[-1]
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("203.0.113.10", "1111")


PEER = "192.0.2.1"


def client(said: str, count: int = 1) -> str:
    proxies = TrustedProxies(Settings(trusted_proxy=PEER, trusted_proxy_count=count))
    return proxies.read({"HTTP_X_FORWARDED_FOR": said}).client


@pytest.mark.parametrize(
    ("said", "count", "found"),
    [("", 1, ""), ("b", 1, "b"), ("b, c", 1, "c"), ("b, c", 2, "b"), ("b", 3, "b"), (" ,", 1, "")],
)
def test_the_last_hops_are_the_proxys(said: str, count: int, found: str):
    assert client(said, count) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8:0::1", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("unknown", "unknown"),
    ],
)
def test_an_entry_counts_as_its_address(said: str, found: str):
    assert client(said) == found


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_address_with_a_port_is_the_address(address: Any, port: int):
    written = f"[{address}]" if address.version == 6 else f"{address}"
    assert client(f"{written}:{port}") == client(f"{address}") == str(address)


@pytest.mark.parametrize("said", ["a b", "[::1", "a:b:c d", "<x>", "[a]b"])
def test_an_entry_that_is_not_an_address_is_refused(said: str):
    with pytest.raises(ValueError, match="X-Forwarded-For"):
        client(said)


@pytest.mark.parametrize(
    ("trusted", "peer", "believed"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8,2001:db8::/32", "2001:db8::7", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("*", "anything", True),
        (None, "10.1.2.3", False),
    ],
)
def test_networks_are_trusted(trusted: str | None, peer: str, believed: bool):
    assert TrustedProxies(Settings(trusted_proxy=trusted)).trusts(peer) is believed


@pytest.mark.parametrize("trusted", ["proxy.example", "", "10.0.0.0/33", "10.0.0.0/8;10.1.0.0/16", "[::1]"])
def test_a_proxy_that_can_match_nothing_is_an_error(trusted: str):
    with pytest.raises(ValidationError, match="addresses or networks"):
        Settings(trusted_proxy=trusted)
