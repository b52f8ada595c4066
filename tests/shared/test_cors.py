"""Configured origins may read responses, other origins may not, and Vary tells caches so."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.datastructures import Headers

from wsgi_core.shared.cors import cross_origin

APP = "https://app.example.org"
PREFLIGHT = {"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}


def headers(origins: tuple[str, ...], origin: str | None, **environ: str) -> dict[str, str]:
    given: dict[str, Any] = {"REQUEST_METHOD": "POST", **environ}
    made = Headers({"Allow": "POST, OPTIONS"} if given["REQUEST_METHOD"] == "OPTIONS" else {})
    cross_origin(origins)(given if origin is None else {**given, "HTTP_ORIGIN": origin}, made)
    return dict(made)


def test_a_named_origin_may_read_the_answer():
    made = headers((APP,), APP)
    assert made["Access-Control-Allow-Origin"] == APP
    assert made["Vary"] == "Origin"
    assert "X-Request-ID" in made["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in made


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "https://app.example.org.evil.test", "http://app.example.org", f"{APP}:444", f"{APP}/", "*"],
)
@pytest.mark.parametrize("environ", [{}, PREFLIGHT])
def test_any_other_origin_is_given_nothing(origin: str | None, environ: dict[str, str]):
    made = headers((APP,), origin, **environ)
    made.pop("Allow", None)
    assert made == {"Vary": "Origin"}


def test_a_star_is_every_origin_and_depends_on_none():
    made = headers(("*",), "https://any.test")
    assert made["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in made
    assert headers(("*",), None) == {}


def test_a_preflight_is_told_methods_and_headers():
    made = headers((APP,), APP, **PREFLIGHT, HTTP_ACCESS_CONTROL_REQUEST_HEADERS="content-type,x-api-key")
    assert made["Access-Control-Allow-Methods"] == "OPTIONS, POST"
    assert made["Access-Control-Allow-Headers"] == "content-type,x-api-key"
    assert made["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize("asked", ["", "a b", "x\x01", "é", "a,,b", "a" * 1001, ","])
def test_what_is_no_list_of_header_names_is_not_repeated(asked: str):
    assert "Access-Control-Allow-Headers" not in headers(
        (APP,), APP, **PREFLIGHT, HTTP_ACCESS_CONTROL_REQUEST_HEADERS=asked
    )


def test_options_without_a_method_is_no_preflight():
    assert "Access-Control-Allow-Methods" not in headers((APP,), APP, REQUEST_METHOD="OPTIONS")
