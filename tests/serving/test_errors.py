"""The server's own responses say in JSON what is wrong, and determine whether the connection is kept."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.serving import errors
from wsgi_core.serving.admission import Refused
from wsgi_core.serving.errors import ErrorResponse

ALL = [
    errors.bad_request("x"), errors.too_slow("x"), errors.too_large(7), errors.header_too_large("x"),
    errors.internal_error(), errors.not_implemented("x"), errors.version_not_supported(), errors.body_not_stored(),
    errors.overloaded(3), errors.not_monitoring(),
]  # fmt: skip


@pytest.mark.parametrize("error", ALL, ids=lambda error: str(error.code))
def test_the_status_is_one_of_http_and_the_body_is_json(error: ErrorResponse):
    status = HTTPStatus(error.code)
    renamed = {413: "Content Too Large"}  # the name in RFC 9110; Python 3.11 has the older name
    assert error.status == f"{error.code} {renamed.get(error.code, status.phrase)}"
    assert json.loads(error.body) == {"error": error.text}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_one_line_of_json(text: str):
    body = errors.bad_request(text).body
    assert body.count(b"\n") == 1
    assert json.loads(body) == {"error": text}


@pytest.mark.parametrize(
    ("reason", "code", "said"),
    [("client", 429, "from this client"), ("expired", 503, "waited too long"), ("overloaded", 503, "too many")],
)
def test_a_refusal_says_why_and_when_to_try_again(reason: str, code: int, said: str):
    error = errors.refusal(Refused(reason, 5))
    assert (error.code, error.headers) == (code, [("Retry-After", "5")])
    assert said in error.text
    assert error.keep


def test_the_connection_is_kept_only_where_the_request_was_read_whole():
    kept = {error.code for error in ALL if error.keep}
    assert kept == {503, 404}
    assert not errors.body_not_stored().keep
    assert errors.bad_request("x", keep=True).keep
