"""Both twins observe a request alike: the same headers of its response, and the same /metrics."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conformance import wire
from tests.conformance.cases import GOOD, JSON
from tests.conformance.wire import Answer
from tests.processes import Server

TRACE = f"00-{'4b' * 16}-{'f0' * 8}-01"


def ask_both(services: dict[str, Any], method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    """Send the request to both services. Check that the responses are equal, and return the response."""
    core, twin = (
        wire.call(services[name], wire.environ(method, path, headers, body)).comparable()
        for name in ("wsgi_core", "flask")
    )
    assert core == twin
    return core


@pytest.mark.parametrize(
    ("body", "phases"),
    [
        (json.dumps(GOOD).encode(), ["parse", "validate", "infer", "encode"]),
        (b"{}", ["parse", "validate", "encode"]),
        (b"{", ["parse", "encode"]),
    ],
)
def test_server_timing_has_the_phases_apart(services: dict[str, Any], body: bytes, phases: list[str]):
    answer = ask_both(services, "POST", "/predict", {"Content-Type": JSON}, body)
    assert answer.header("Server-Timing") == ", ".join(f"{phase};dur=(time)" for phase in phases)


def test_the_protocol_has_them_too(services: dict[str, Any]):
    body = json.dumps(
        {"inputs": [{"name": "features", "shape": [1, 5], "datatype": "FP32", "data": [1, 20, 20, 1, 0]}]}
    ).encode()
    answer = ask_both(services, "POST", "/v2/models/churn/infer", {"Content-Type": JSON}, body)
    assert answer.code == 200
    told = answer.header("Server-Timing") or ""
    assert sorted(re.findall(r"(\w+);", told)) == ["encode", "infer", "parse", "validate"]


def test_an_answer_without_phases_has_no_server_timing(services: dict[str, Any]):
    assert ask_both(services, "GET", "/healthz", {}).header("Server-Timing") is None


@pytest.mark.parametrize(("sent", "back"), [(TRACE, TRACE), ("00-bad", None), (TRACE.upper(), None), ("", None)])
def test_a_trace_comes_back_if_it_is_one(services: dict[str, Any], sent: str, back: str | None):
    assert ask_both(services, "GET", "/healthz", {"traceparent": sent}).header("traceparent") == back


def test_metrics_name_the_rule_and_never_the_path(servers: dict[str, Server]):
    pages = []
    for server in servers.values():
        for path in ("/nope/secret-7", "/v2/models/secret-8", "/metrics"):
            wire.exchange(server.address, wire.request_bytes("GET", path, {}, b""))
        sent = wire.request_bytes("POST", "/predict", {"Content-Type": JSON}, json.dumps(GOOD).encode())
        assert wire.exchange(server.address, sent, "POST").code == 200
        answer = wire.exchange(server.address, wire.request_bytes("GET", "/metrics", {}, b""))
        assert answer.code == 200
        assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        assert b"secret" not in answer.body
        pages.append(answer.body.decode())
    for page in pages:
        for label in ("/v2/models/<name>", "/predict", ""):
            assert f'http_route="{label}"' in page
        assert 'model_inference_duration_seconds_count{model="churn",version="1"}' in page
        assert 'http_server_rejected_requests_total{reason="overloaded"} 0.0' in page
        assert "\nhttp_server_active_requests " in page
