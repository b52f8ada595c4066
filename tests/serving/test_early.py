"""The server's own responses have request ids and CORS headers as the application's, and are logged and counted."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.running import Client, Reply, Running, request, running
from tests.serving.test_admission import fill
from wsgi_core.shared.observability.metrics import render

ORIGIN = "https://app.example.org"
HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.org\r\nX-Request-ID: mine\r\n"

EARLY: dict[int, bytes] = {
    400: HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    413: HEAD + b"Content-Length: 5000\r\n\r\n",
    408: HEAD + b"Content-Length: 50\r\n\r\n",
    431: HEAD + b"X: y\r\n" * 200 + b"\r\n",
    500: HEAD.replace(b"POST /a", b"POST /boom") + b"\r\n",
    501: HEAD.replace(b"POST /a", b"CONNECT a:80") + b"\r\n",
    505: HEAD.replace(b"1.1", b"2.0") + b"\r\n",
}


def early(server: Running, status: int) -> Reply:
    client = server.connect()
    client.send(EARLY[status])
    return client.answer()


def counted(status: int) -> float:
    """Return how many responses with a status the metrics of this process have counted."""
    text = render("", None)[0].decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
        and sample.labels["http_response_status_code"] == str(status)
    )


@pytest.mark.parametrize("status", EARLY)
def test_it_carries_what_the_applications_responses_do(status: int, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "wsgi_core.access")
    before = counted(status)
    with running(cors_origins=[ORIGIN], max_content_length=100, body_timeout=0.1) as server:
        reply = early(server, status)
    assert reply.status == status
    assert reply.error
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert reply.headers["x-request-id"] == "mine"
    assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()
    (line,) = [record for record in caplog.records if record.name == "wsgi_core.access"]
    assert f" {status} " in line.getMessage()
    assert counted(status) == before + 1


def test_without_origins_nothing_is_allowed():
    with running(max_content_length=100) as server:
        assert "access-control-allow-origin" not in early(server, 413).headers


def test_bytes_that_are_no_request_have_a_line_in_the_log_too(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "wsgi_core.access")
    with running() as server:
        client = server.connect()
        client.send(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.answer().status == 400
    assert [record.getMessage()[:8] for record in caplog.records if record.name == "wsgi_core.access"] == ["- / 400 "]


@pytest.mark.parametrize("settings", [{}, {"max_per_client": 4}])
def test_a_preflight_is_answered_under_load_and_the_request_after_it_refused(settings: dict[str, int]):
    with running(cors_origins=[ORIGIN], **settings) as server:
        fill(server)
        client = server.connect()
        asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-a"}
        client.send(request("OPTIONS", "/work", **asked))
        reply = client.answer()
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert reply.headers["access-control-allow-headers"] == "x-a"
        client.send(request("POST", "/work", b"x", Origin=ORIGIN))
        refused = client.answer()
        assert refused.status in (503, 429)
        assert refused.headers["access-control-allow-origin"] == ORIGIN


def test_a_page_of_another_origin_is_not_allowed_under_load_either():
    with running(cors_origins=[ORIGIN]) as server:
        fill(server)
        client = server.connect()
        client.send(request("OPTIONS", "/work", Origin="https://evil.example", Access_Control_Request_Method="POST"))
        assert "access-control-allow-origin" not in client.answer().headers


# The function that judges the head of a request.


def forbid(environ: dict[str, object], start_response: object) -> list[bytes]:
    assert callable(start_response)
    start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
    return [b"no key"]


def judge(environ: dict[str, object]) -> object:
    assert "wsgi.input" not in environ
    if environ["PATH_INFO"] == "/boom":
        raise RuntimeError("boom")
    return None if "HTTP_X_API_KEY" in environ else forbid


def test_a_chunked_upload_is_refused_before_it_is_sent_too():
    with running(told={"check_head": judge}) as server:
        client = server.connect()
        client.send(request("POST", "/a", Transfer_Encoding="chunked", Expect="100-continue"))
        assert client.answer().status == 401
        assert client.ended()


def begin(server: Running, path: str = "/a", **headers: str) -> Client:
    client = server.connect()
    client.send(request("POST", path, Content_Length="100000", **headers) + b"x" * 1000)
    return client


def test_a_request_is_judged_before_its_body_is_kept():
    with running(told={"check_head": judge}) as server:
        client = begin(server)
        client.send(b"x" * 90_000)
        assert server.connect().ask("/a").status == 200
        assert server.server.site.bodies.memory.used == 0
        client.send(b"x" * 9_000 + request("GET", "/next"))
        reply = client.answer()
        assert (reply.status, reply.body) == (401, b"no key")
        assert reply.headers["www-authenticate"] == "Bearer"
        assert "x-request-id" in reply.headers
        assert client.answer().status == 200


def test_a_client_that_asks_first_is_refused_before_it_sends():
    with running(told={"check_head": judge}) as server:
        client = begin(server, Expect="100-continue")
        reply = client.answer()
        assert (reply.status, reply.headers["connection"]) == (401, "close")


@pytest.mark.parametrize(("path", "headers"), [("/a", {"X_API_Key": "k"}), ("/boom", {})])
def test_what_the_judge_lets_pass_is_read(path: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture):
    """If the judging function raises an exception, the application decides."""
    with running(told={"check_head": judge}) as server:
        client = begin(server, path, **headers)
        client.send(b"x" * 99_000)
        assert client.answer().status == (500 if path == "/boom" else 200)
        assert server.app.seen[-1]["PATH_INFO"] == path


def test_a_request_that_is_complete_is_not_judged_and_the_application_decides():
    with running(told={"check_head": judge}) as server:
        client = server.connect()
        client.send(request("POST", "/a", b"x" * 1000, Expect="100-continue"))
        assert client.answer().status == 200
        assert server.app.seen[-1]["PATH_INFO"] == "/a"
