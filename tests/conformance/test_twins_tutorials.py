"""The API of the tutorials: both services give the same responses to valid, invalid and unusual requests."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import flask_equiv.service
from tests.conformance import wire
from tests.conformance.cases import GOOD, JSON, Case
from tests.conformance.test_service_twins import chunked, json_values, latin1
from tests.conftest import checked
from tests.examples import examples
from tests.processes import Server
from wsgi_core import service
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.streaming import EVENTS, LINES
from wsgi_core.shared.webhooks import sign

SECRET = "0123456789abcdef"
ORIGIN = "https://app.example.org"
OPTIONS = {"webhook_secrets": {"crm": SECRET}, "cors_origins": (ORIGIN,), "stream_max_content_length": 16 << 20}
APPLICANT = {"age": 35, "income": 24000, "credit_score": 700, "employment_years": 4, "loan_amount": 6000}
LINE = json.dumps(GOOD).encode() + b"\n"
STREAM = "/predict/stream"
_TIMESTAMP = re.compile(rb'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"')


@pytest.fixture(scope="module")
def no_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache folder, so that no embedding model is used, which would be slower."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("WSGI_CORE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def twins(no_cache: Path) -> Iterator[dict[str, Any]]:
    """Both services with webhooks and CORS, each with its own job store."""
    apps = {
        name: module.create_app(settings=Settings.model_validate({**OPTIONS, "job_store": str(no_cache / name)}))
        for name, module in {"wsgi_core": service, "flask": flask_equiv.service}.items()
    }
    yield apps
    for app in apps.values():
        assert app.extensions["jobs"].close(10)


@pytest.fixture(scope="module")
def twin_servers(no_cache: Path) -> Iterator[dict[str, Server]]:
    """Both services with webhooks and CORS, each behind a server in its own process."""
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--framework")
    given = {"WSGI_CORE_WEBHOOK_SECRETS": f"crm={SECRET}", "WSGI_CORE_CORS_ORIGINS": ORIGIN}
    stores = {name: str(no_cache / f"{name}-served") for name in ("wsgi_core", "flask")}
    with (
        Server(*command, "wsgi_core", WSGI_CORE_JOB_STORE=stores["wsgi_core"], **given) as core,
        Server(*command, "flask", WSGI_CORE_JOB_STORE=stores["flask"], **given) as twin,
    ):
        yield {"wsgi_core": core.ready(), "flask": twin.ready()}


def comparable(answer: wire.Answer) -> wire.Answer:
    """Return the response without values that differ between equal requests. The loan API returns the time."""
    plain = answer.comparable()
    return wire.Answer(plain.status, plain.headers, _TIMESTAMP.sub(b'"timestamp":"(time)"', plain.body))


def call_both(twins: Mapping[str, Any], make_environ: Any) -> wire.Answer:
    core, twin = (comparable(wire.call(twins[name], make_environ())) for name in ("wsgi_core", "flask"))
    assert core == twin
    return core


def post(name: str, status: int, path: str, body: Any, **headers: str) -> Case:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name, status, path=path, body=data, headers={"Content-Type": JSON, **headers})


def hook(name: str, status: int, body: bytes, source: str = "crm", **headers: str) -> Case:
    signed = {"X-Hub-Signature-256": sign(SECRET.encode(), body), **headers}
    return Case(name, status, path=f"/webhooks/{source}", body=body, headers=signed)


def lines(name: str, status: int, body: bytes, **headers: str) -> Case:
    return Case(name, status, path=STREAM, body=body, headers={"Content-Type": LINES, **headers})


PACKED = {"Content-Encoding": "gzip"}
ASK = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}

CASES = [
    post("loan", 200, "/api/v1/predict", APPLICANT),
    post("loan, all wrong", 422, "/api/v1/predict", dict.fromkeys(APPLICANT)),
    post("loan, nothing there", 422, "/api/v1/predict", {}),
    post("loan, a list", 422, "/api/v1/predict", [APPLICANT]),
    post("loan, a number too large", 422, "/api/v1/predict", b'{"age": 1e999, "income": 1' + b"0" * 400 + b"}"),
    post("loan, no json", 400, "/api/v1/predict", b"{'age': 1}"),
    post("loan, nested", 400, "/api/v1/predict", b"[" * 100_000),
    post("loan, another type", 400, "/api/v1/predict", APPLICANT, **{"Content-Type": "text/plain"}),
    post("loan, too large", 413, "/api/v1/predict", b" " * (5 << 20)),
    Case("loan, the wrong method", 405, "GET", "/api/v1/predict"),
    Case("loan, health", 200, "GET", "/api/v1/health"),
    Case("loan, head of health", 200, "HEAD", "/api/v1/health"),
    post("sentiment", 200, "/sentiment", {"text": "A fine day ☕"}),
    post("sentiment, markup", 200, "/sentiment", {"text": "<script>\x00\u2028"}),
    post("sentiment, empty", 422, "/sentiment", {"text": ""}),
    post("sentiment, half a pair", 400, "/sentiment", b'{"text": "\\ud800"}'),
    post("sentiment, a form", 415, "/sentiment", b"text=x", **{"Content-Type": "application/x-www-form-urlencoded"}),
    post("chat", 200, "/rag-chat", {"query": "How do I serve it on Windows?"}),
    post("chat, nothing found", 200, "/rag-chat", {"query": "☕"}),
    post("chat, too long", 422, "/rag-chat", {"query": "x" * 2001}),
    Case("gather", 200, "GET", "/async-data"),
    Case("gather, posted", 405, "POST", "/async-data"),
    lines("stream", 200, LINE * 3 + b"{\n\n" + LINE),
    lines("stream, events", 200, LINE * 3 + b"{\n\n" + LINE, Accept=EVENTS),
    lines("stream, nothing", 200, b""),
    lines("stream, one long line", 200, b"x" * 200_000),
    lines("stream, more than other bodies", 200, (LINE[:-2] + b', "note": "%s"}\n' % (b"x" * 5000)) * 1000),
    lines("stream, an odd wish", 200, LINE, Accept="text/html;q=x, ;;"),
    post("stream, no lines", 415, STREAM, GOOD),
    Case("stream, the wrong method", 405, "GET", STREAM),
    hook("webhook", 202, LINE),
    hook("webhook, a name", 202, LINE, **{"X-Delivery-ID": "a:1"}),
    hook("webhook, a bad name", 400, LINE, **{"X-GitHub-Delivery": "a b"}),
    hook("webhook, not signed", 401, LINE, **{"X-Hub-Signature-256": "sha256=00"}),
    hook("webhook, odd signature", 401, LINE, **{"X-Hub-Signature-256": "\xff\xfe"}),
    hook("webhook, unknown", 401, LINE, "other"),
    hook("webhook, no json", 400, b"{"),
    hook("webhook, a path", 404, LINE, "a/b"),
    post("compressed", 415, "/predict", gzip.compress(LINE), **PACKED),
    post("said to be compressed", 415, "/api/v1/predict", APPLICANT, **{"Content-Encoding": "br"}),
    post("not compressed", 200, "/api/v1/predict", APPLICANT, **{"Content-Encoding": "identity"}),
    lines("stream, compressed", 415, gzip.compress(LINE), **PACKED),
    hook("webhook, compressed", 415, gzip.compress(LINE), **PACKED),
    Case("preflight", 200, "OPTIONS", "/predict", headers={**ASK, "Access-Control-Request-Headers": "content-type"}),
    Case("preflight, elsewhere", 404, "OPTIONS", "/nope", headers=ASK),
    Case("preflight, another origin", 200, "OPTIONS", "/predict", headers={**ASK, "Origin": "https://evil.test"}),
    Case("another origin", 200, "GET", "/api/v1/health", headers={"Origin": "null"}),
    Case("a named origin", 200, "GET", "/api/v1/health", headers={"Origin": ORIGIN}),
]
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_name
def test_twins_answer_alike_in_process(case: Case, twins: dict[str, Any]):
    judged = {name: checked(app.wsgi_app) for name, app in twins.items()}
    answer = call_both(judged, lambda: wire.environ(case.method, case.path, dict(case.headers), case.body))
    assert answer.code == case.status


@by_name
def test_twins_answer_alike_behind_the_server(case: Case, twin_servers: dict[str, Server]):
    sent = wire.request_bytes(case.method, case.path, dict(case.headers), case.body)
    core, twin = (comparable(wire.exchange(server.address, sent, case.method)) for server in twin_servers.values())
    assert core == twin
    assert core.code == case.status


def test_a_stream_in_chunks_is_answered_as_one_of_known_length(twin_servers: dict[str, Server]):
    body = LINE * 2000 + b"{\n"
    head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\nConnection: close\r\n".encode()
    for server in twin_servers.values():
        known, unknown = (
            wire.exchange(server.address, head + rest)
            for rest in (
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
                b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 777),
            )
        )
        assert known.body == unknown.body
        assert len(known.body.splitlines()) == 2001


def test_memory_does_not_grow_with_the_rows(twin_servers: dict[str, Server]):
    for server in twin_servers.values():
        process = psutil.Process(server.process.pid)
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        try:
            connection.request("POST", STREAM, LINE * 1000, {"Content-Type": LINES})
            assert len(connection.getresponse().read().splitlines()) == 1000
            before = peak = process.memory_info().rss
            body = (LINE * 1000 for _ in range(30))
            connection.request("POST", STREAM, body, {"Content-Type": LINES}, encode_chunked=True)
            response, answers = connection.getresponse(), 0
            while piece := response.read(1 << 16):
                answers += piece.count(b"\n")
                peak = max(peak, process.memory_info().rss)
        finally:
            connection.close()
        assert answers == 30_000
        assert peak - before <= 20 << 20


paths = st.sampled_from(
    [
        "/api/v1/predict",
        "/api/v1/health",
        "/sentiment",
        "/rag-chat",
        "/async-data",
        STREAM,
        "/webhooks/crm",
        "/webhooks/",
    ]
)
applicants = st.fixed_dictionaries({}, optional={name: json_values | st.integers(-1, 1000) for name in APPLICANT})
texts = st.fixed_dictionaries({}, optional={"text": json_values | st.text(), "query": json_values | st.text()})
rows = st.lists(st.sampled_from([LINE, b"\n", b"{}\n", b"[]\n"]) | st.binary(max_size=30), max_size=5).map(b"".join)
bodies = (json_values | applicants | texts).map(lambda payload: json.dumps(payload).encode()) | rows
odd = st.fixed_dictionaries(
    {},
    optional={
        "CONTENT_TYPE": st.sampled_from([JSON, LINES, f"{LINES}; charset=x", "", "text/plain"]) | latin1,
        "CONTENT_LENGTH": st.sampled_from(["", "0", "5", "-1", "x", "99999999999"]),
        "HTTP_ACCEPT": st.sampled_from([EVENTS, LINES, "*/*"]) | latin1,
        "HTTP_ORIGIN": st.just(ORIGIN) | latin1,
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": latin1,
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": latin1,
        "HTTP_X_HUB_SIGNATURE_256": latin1,
        "HTTP_X_DELIVERY_ID": latin1,
        "HTTP_TRANSFER_ENCODING": st.sampled_from(["chunked", "identity"]),
        "wsgi.input_terminated": st.just(True),
    },
)


@examples(200, HealthCheck.function_scoped_fixture)
@given(method=st.sampled_from(["POST", "GET", "OPTIONS", "HEAD"]), path=paths, body=bodies, odd=odd)
def test_twins_answer_anything_alike(twins: dict[str, Any], method: str, path: str, body: bytes, odd: dict[str, Any]):
    def make() -> dict[str, Any]:
        return wire.environ(method, path, {"Content-Type": JSON}, body) | {"wsgi.errors": io.StringIO()} | odd

    assert call_both(twins, make).code < 500


@examples(60, HealthCheck.function_scoped_fixture)
@given(body=bodies)
def test_a_signed_body_is_accepted_or_no_json(twins: dict[str, Any], body: bytes):
    headers = {"X-Hub-Signature-256": sign(SECRET.encode(), body)}
    assert call_both(twins, lambda: wire.environ("POST", "/webhooks/crm", headers, body)).code in {202, 400}
