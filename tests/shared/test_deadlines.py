"""The time of a request: the setting, or less if the client requests less, counted from its arrival at the server."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from wsgi_core.inference.work import Cancelled, Work
from wsgi_core.shared.deadlines import RECEIVED, allowed_seconds, limit_work


@given(st.floats(0.001, 1e6), st.decimals(min_value="0.001", max_value="99999", places=3))
def test_the_shorter_of_both_counts(limit: float, asked: object):
    assert allowed_seconds(None, limit) == limit
    assert allowed_seconds(f"{asked}", limit) == min(limit, float(f"{asked}"))


@pytest.mark.parametrize("header", ["", "0", "0.0", "-1", "+1", "1e3", "nan", "inf", "1,5", "٣", "1 ", "1" * 10, "1."])
def test_a_header_that_is_no_number_of_seconds_is_refused(header: str):
    with pytest.raises(ValueError, match="X-Request-Timeout"):
        allowed_seconds(header, 30)
    with pytest.raises(BadRequest, match="X-Request-Timeout"):
        limit_work(Work(), {"HTTP_X_REQUEST_TIMEOUT": header}, 30)


def test_the_time_in_the_queue_counts():
    late, early = Work(), Work()
    limit_work(late, {RECEIVED: time.monotonic() - 31}, 30)
    limit_work(early, {}, 30)
    assert late.at <= time.monotonic()
    assert early.at > time.monotonic() + 29


def test_the_server_tells_whether_the_client_has_left():
    work = Work()
    limit_work(work, {"waitress.client_disconnected": lambda: True}, 30)
    with pytest.raises(Cancelled):
        work.check()
