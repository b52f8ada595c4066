"""A request's time: the setting, or less if the client asks for less, from the moment that the server had it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from wsgi_core.shared.deadlines import RECEIVED, allowed_seconds, request_deadline


@given(st.floats(0.001, 1e6), st.decimals(min_value="0.001", max_value="99999", places=3))
def test_the_shorter_of_both_counts(limit: float, asked: object):
    assert allowed_seconds(None, limit) == limit
    assert allowed_seconds(f"{asked}", limit) == min(limit, float(f"{asked}"))


@pytest.mark.parametrize("header", ["", "0", "0.0", "-1", "+1", "1e3", "nan", "inf", "1,5", "٣", "1 ", "1" * 10, "1."])
def test_a_header_that_is_no_number_of_seconds_is_refused(header: str):
    with pytest.raises(ValueError, match="X-Request-Timeout"):
        allowed_seconds(header, 30)
    with pytest.raises(BadRequest, match="X-Request-Timeout"):
        request_deadline({"HTTP_X_REQUEST_TIMEOUT": header}, 30)


def test_the_time_in_the_queue_counts():
    deadline = request_deadline({RECEIVED: time.monotonic() - 31}, 30)
    assert deadline.at <= time.monotonic()
    assert request_deadline({}, 30).at > time.monotonic() + 29
