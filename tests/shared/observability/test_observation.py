"""The observation of a request: its id, its trace context, its phases, and its log line."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from wsgi_core.inference import timing
from wsgi_core.inference.work import Work, current
from wsgi_core.shared.deadlines import limit_work
from wsgi_core.shared.observability import Observation, begin_request, observed_request
from wsgi_core.shared.observability.observation import is_traceparent, server_timing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


def environ(**more: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", **more}


# traceparent: W3C Trace Context, 3.2


@pytest.mark.parametrize(
    "value", [GOOD, f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-x"]
)
def test_a_valid_traceparent_is_taken_and_comes_back(value: str):
    assert is_traceparent(value)
    observation = Observation(environ(HTTP_TRACEPARENT=value))
    assert ("traceparent", value) in observation.set_response(200, "/predict")


@pytest.mark.parametrize(
    "value",
    [
        "", "x", GOOD[:-1], f"{GOOD}-", f"{GOOD}-x", GOOD.upper(), f" {GOOD}", f"{GOOD},{GOOD}", f"{GOOD}\n",
        f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-{PARENT}-01x", f"cc-{TRACE}-{PARENT}-01-a b", f"00-{TRACE}-{PARENT}-0\u0661",
    ],
)  # fmt: skip
def test_a_bad_traceparent_is_ignored(value: str):
    observation = Observation(environ(HTTP_TRACEPARENT=value))
    assert observation.traceparent is None
    assert "traceparent" not in dict(observation.set_response(200, "/predict"))


# Ids


def test_a_clients_id_is_kept_and_made_up_ones_differ():
    assert Observation(environ(HTTP_X_REQUEST_ID="order-66/7")).request_id == "order-66/7"
    made = {Observation(environ()).request_id for _ in range(1000)}
    assert len(made) == 1000
    assert {len(each) for each in made} == {16}


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "x\n", "x\r\nX-Evil: 1", "é"])
def test_an_id_of_other_characters_is_replaced(given: str):
    assert Observation(environ(HTTP_X_REQUEST_ID=given)).request_id != given


# Phases


def test_server_timing_tells_the_phases_that_there_were_in_milliseconds():
    assert server_timing({"parse": 0.00002, "infer": 0.0015}) == "parse;dur=0.020, infer;dur=1.500"
    assert server_timing({"parse": 0.0, "infer": 12.3456789}) == "parse;dur=0.000, infer;dur=12345.679"
    assert "Server-Timing" not in dict(Observation(environ()).set_response(200, ""))


def test_what_goes_on_between_begin_and_leave_belongs_to_the_request():
    begin_request(environ())
    outer = observed_request()
    assert outer is not None
    timing.add("infer", 1.0)
    begin_request(environ())  # a second request that begins during the first
    inner = observed_request()
    assert inner is not None
    with timing.phase("parse"):
        pass
    inner.deactivate()
    timing.add("infer", 1.0)
    assert observed_request() is outer
    outer.deactivate()
    timing.add("infer", 1.0)
    assert observed_request() is None
    assert outer.times == {"infer": 2.0}
    assert list(inner.times) == ["parse"]


def test_a_deadline_ends_with_the_request_that_it_was_set_for():
    outer = begin_request(environ())
    limit_work(outer, environ(), 10.0)
    inner = begin_request(environ())
    limit_work(inner, environ(HTTP_X_REQUEST_TIMEOUT="1"), 10.0)
    assert current.get() is inner
    assert inner.at < outer.at
    inner.deactivate()
    assert current.get() is outer
    outer.deactivate()
    assert current.get() is None


def test_work_within_a_request_belongs_to_the_request():
    observed = begin_request(environ())
    with Work():  # as the warm-up of a model that the request loads
        assert current.get() is not observed
        assert observed_request() is observed
    observed.deactivate()
    with Work():
        assert observed_request() is None


# The log


def test_the_access_log_tells_of_the_end(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="wsgi_core.access"):
        begin_request(environ(PATH_INFO="/a b\r\n\xc3\xa9", HTTP_X_REQUEST_ID="mine"))
        observed = observed_request()
        assert observed is not None
        observed.set_response(404, "")
        observed.deactivate()
    (line,) = caplog.messages
    assert line.startswith("POST /a%20b%0D%0A%C3%A9 404 ")
    assert line.endswith(" ms id=mine")


def test_a_stream_is_logged_when_it_ends(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="wsgi_core.access"):
        begin_request(environ())
        observed = observed_request()
        assert observed is not None
        observed.set_response(200, "/predict")
        told = observed.elapsed
        observed.streamed = True
        observed.deactivate()
        assert observed_request() is None
        assert caplog.messages == []
        observed.finish()
    assert len(caplog.messages) == 1
    assert observed.elapsed > told
