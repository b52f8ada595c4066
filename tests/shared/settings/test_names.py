"""An allowed host or origin that no request could match is an error at the start, with the nearest valid form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.exceptions import SecurityError

from wsgi_core.shared.access import access_check
from wsgi_core.shared.cors import cross_origin
from wsgi_core.shared.settings import Settings, names
from wsgi_core.shared.settings.sources import ConfigurationError, load_settings

WRONG = {
    "trusted_hosts": {
        "*": "leave trusted_hosts empty", "*.": "leave trusted_hosts empty", "*.example.org": ".example.org",
        "API.example.org": "api.example.org", "https://api.example.org/": "api.example.org", "[::1]": "::1",
        "api.example.org:8080": "api.example.org", "[::1]:80": "::1", "example.org.": "example.org",
        "münchen.example": "xn--mnchen-3ya.example", "0:0::1": "::1", "user@api.example.org": "api.example.org",
        "http://*.Example.org:80/x?y": ".example.org", "a b": "must be a host name", "..": "must be a host name",
        "a..b": "must be a host name", "-a": "must be a host name", "a/b": "a",
    },
    "trusted_proxy": {
        "proxy": "must be IP addresses", "10.0.0.5/8": "10.0.0.0/8", "[::1]": "::1", "10.0.0.1:80": "10.0.0.1",
        "10.0.0.0/33": "must be IP addresses", "http://10.0.0.1": "must be IP addresses", "010.0.0.1": "must be",
        "10.0.0.1,b": "must be", "10.0.0.1,": "must be", "[fd00::1]:80": "fd00::1", "fd00::1/64": "fd00::/64",
        "*.*": "must be",
    },
    "cors_origins": {
        "https://App.example.org": "https://app.example.org", "https://app.example.org:443": "https://app.example.org",
        "http://a.example:80": "http://a.example", "https://*.example.org": "A * must be the only value",
        "https://app.example.org/": "https://app.example.org", "app.example.org": "https://app.example.org",
        "https://app.example.org/x": "https://app.example.org", "HTTPS://app.example.org": "https://app.example.org",
        "https://u:p@app.example.org": "https://app.example.org", "https://münchen.example": "xn--mnchen-3ya",
        "null": "sandboxed", "https://": "must be an origin", "https://a:99999": "must be an origin", "**": "A *",
        "https://[0::1]:8080": "https://[::1]:8080",
    },
    "host": {"[::1]": "::1", "http://127.0.0.1": "127.0.0.1", "127.0.0.1:80": "127.0.0.1"},
    "api_key": {
        f" {'k' * 16}": "begin or end with white space",
        f"{'k' * 16}\n": "begin or end with white space",
        "k" * 9 + "\x00" * 9: "control",
    },
}  # fmt: skip
RIGHT = {
    "trusted_hosts": ["a", "api.example.org", ".example.org",
                      "localhost", "127.0.0.1", "::1", "a_b.c", "xn--bcher-kva.d"],
    "trusted_proxy": ["*", "127.0.0.1", "::1", "10.0.0.0/8",
                      "fd00::/8", "0.0.0.0/0", "10.0.0.1, fd00::/8"],
    "cors_origins": ["*", "https://app.example.org", "http://localhost:3000", "https://a:80", "http://[::1]:8080",
                     "chrome-extension://abcdefgh"],
    "host": ["127.0.0.1", "::1", "0.0.0.0", "::", "localhost", "my-machine"],
    "api_key": ["k" * 16, "ein Schlüssel mit ü"],
}  # fmt: skip


def load(name: str, value: str) -> Settings:
    return load_settings({}, None, {f"WSGI_CORE_{name.upper()}": value}).settings


@pytest.mark.parametrize(
    ("name", "value", "said"), [(name, value, said) for name, values in WRONG.items() for value, said in values.items()]
)
def test_what_could_never_match_is_refused_with_the_nearest_form(name: str, value: str, said: str):
    with pytest.raises(ConfigurationError) as refused:
        load(name, value)
    assert said in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_what_requests_have_is_accepted(name: str, value: str):
    assert load(name, value) is not None


def environ(host: str, path: str = "/predict") -> dict[str, str]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": host}


def is_answered(settings: Settings, host: str, path: str = "/predict") -> bool:
    """Return whether a request with this Host is accepted. SecurityError is a 400."""
    try:
        access_check(settings)(environ(host, path))
    except SecurityError:
        return False
    return True


@given(st.from_regex(r"\.?([a-zA-Z0-9-]{1,5}\.){0,3}[a-zA-Z]{1,5}(:[1-9][0-9]{0,3})?", fullmatch=True))
def test_every_accepted_host_answers_a_request_and_every_other_one_names_one_that_does(name: str):
    """The nearest form in an error message is accepted, and matches the intended Host."""
    try:
        accepted = names.trusted_host(name)
    except ValueError as error:
        _, _, nearest = str(error).partition("the nearest is ")
        if not nearest:
            return
        accepted = names.trusted_host(nearest)
    settings = Settings(trusted_hosts=(accepted,))
    for host in (accepted.lstrip("."), f"{accepted.lstrip('.')}:8080", accepted.lstrip(".").upper()):
        assert is_answered(settings, host)
    assert not is_answered(settings, "other.example.net")


@given(st.from_regex(r"(http|https|HTTP)://[a-zA-Z0-9.-]{1,20}(:(80|443|8080))?/?", fullmatch=True))
def test_an_accepted_origin_is_the_one_that_a_browser_sends(value: str):
    try:
        accepted = names.cors_origin(value)
    except ValueError as error:
        _, _, nearest = str(error).partition("the nearest is ")
        if not nearest:
            return
        accepted = names.cors_origin(nearest)
    headers = Headers()
    cross_origin([accepted])({"REQUEST_METHOD": "GET", "HTTP_ORIGIN": accepted}, headers)
    assert headers["Access-Control-Allow-Origin"] == accepted == accepted.lower()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "localhost"])
def test_on_a_loopback_address_only_its_names_are_answered(host: str):
    settings = Settings(host=host).with_loopback_hosts()
    shown = f"[{host}]" if ":" in host else host
    for good in (
        f"{shown}:8080",
        "localhost",
        "LOCALHOST:80",
        "app.localhost",
        "127.0.0.1",
        "[::1]:9",
        "x",
        "My-PC:80",
    ):
        assert is_answered(settings, good)
    for bad in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "a b", "2130706433", "192.168.0.1"):
        assert not is_answered(settings, bad)
        assert is_answered(settings, bad, "/healthz")


@pytest.mark.parametrize("more", [{"any_host": True}, {"trusted_proxy": "127.0.0.1"}, {"host": "0.0.0.0"}])
def test_elsewhere_or_if_told_so_every_name_is_answered(more: dict[str, object]):
    assert is_answered(Settings.model_validate(more).with_loopback_hosts(), "any.example")


def test_monitoring_is_held_to_the_list_only_if_told_so():
    for path in ("/healthz", "/readyz", "/metrics", "/v2/health/ready", "/api/v1/health"):
        assert is_answered(Settings(trusted_hosts=("a.example",)), "10.0.0.7:8080", path)
        held = Settings(trusted_hosts=("a.example",), check_monitoring_host=True)
        assert not is_answered(held, "10.0.0.7:8080", path)
