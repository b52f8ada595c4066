"""Access is decided by the head of a request: its host, its API key, and the origin of the page that sends it."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import HTTPException

from wsgi_core.shared.access import access_check, check_origin, host_name
from wsgi_core.shared.settings import Settings

UNLOAD = "/v2/repository/models/churn/unload"
CHANGES = [UNLOAD, "/v2/repository/models/churn/load", "/v2/repository/reload"]
JSON = "application/json"
EVIL = "https://evil.example"


def environ(
    path: str = UNLOAD, content_type: str | None = JSON, method: str = "POST", **headers: str
) -> dict[str, str]:
    made = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:8080"}
    if content_type is not None:
        made["CONTENT_TYPE"] = content_type
    return made | {f"HTTP_{name.upper()}": value for name, value in headers.items()}


def code(made: dict[str, str], **settings: Any) -> int:
    try:
        access_check(Settings.model_validate(settings))(made)
    except HTTPException as error:
        return error.code or 0
    return 200


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    ("headers", "content_type", "expected"),
    [
        # A page of another origin, by fetch() or by a form.
        ({"origin": EVIL}, JSON, 403), ({"origin": EVIL}, None, 403), ({"origin": "null"}, JSON, 403),
        ({"origin": "http://127.0.0.1:8081"}, JSON, 403),
        ({"origin": "https://127.0.0.1:8080.evil.example"}, JSON, 403),
        ({"sec_fetch_site": "cross-site"}, JSON, 403), ({"sec_fetch_site": "same-site"}, None, 403),
        ({"sec_fetch_site": "x"}, JSON, 403), ({"origin": ""}, JSON, 403),
        ({}, "text/plain", 415), ({}, "Text/Plain; charset=utf-8", 415), ({}, "multipart/form-data; boundary=x", 415),
        ({}, "application/x-www-form-urlencoded", 415), ({"referer": f"{EVIL}/"}, None, 415),
        ({"cookie": "a=b"}, "", 415),
        # A page of the service itself.
        ({"origin": "http://127.0.0.1:8080", "sec_fetch_site": "same-origin"}, JSON, 200),
        ({"origin": "http://127.0.0.1:8080", "sec_fetch_site": "same-origin"}, None, 415),
        ({"sec_fetch_site": "none"}, JSON, 200),
        # Clients of the protocol that are not browsers.
        ({}, JSON, 200), ({}, None, 200), ({}, "", 200), ({}, "application/octet-stream", 200),
    ],
)  # fmt: skip
def test_no_page_of_another_origin_changes_which_models_are_served(
    path: str, headers: dict[str, str], content_type: str | None, expected: int
):
    assert code(environ(path, content_type, **headers), cors_origins=("*",)) == expected


def test_an_origin_that_the_operator_names_may_change_them_but_not_by_a_form():
    settings = {"cors_origins": ("https://app.example.org",)}
    named = {"origin": "https://app.example.org", "sec_fetch_site": "cross-site"}
    assert code(environ(**named), **settings) == 200
    assert code(environ(content_type="text/plain", **named), **settings) == 415
    assert code(environ(origin=EVIL), **settings) == 403


@pytest.mark.parametrize(
    ("path", "method"), [("/v2/repository/index", "POST"), ("/predict", "POST"), (UNLOAD, "GET"), (UNLOAD, "OPTIONS")]
)
def test_what_changes_nothing_is_open_to_every_page(path: str, method: str):
    check_origin(environ(path, None, method, origin=EVIL))


def test_the_host_counts_before_the_key_and_both_before_the_rest():
    settings = {"trusted_hosts": ("a.example",), "api_key": "k" * 16}
    assert code(environ(host="b.example", origin=EVIL), **settings) == 400
    assert code(environ(host="a.example", origin=EVIL), **settings) == 401
    assert code(environ(host="a.example", x_api_key="k" * 16, origin=EVIL), **settings) == 403


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.example:80", "a.example"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("a.example.", "a.example"),
        ("", ""),
        ("[", ""),
    ],
)
def test_a_host_is_compared_without_port_and_brackets(host: str, name: str):
    assert host_name(host) == name
