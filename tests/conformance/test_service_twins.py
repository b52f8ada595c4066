"""The services on wsgi_core and on Flask give the same responses, in process and behind waitress."""

from __future__ import annotations

import http.client
import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from tests.conformance import wire
from tests.conformance.cases import CASES, GOOD, JSON, MAX_CONTENT_LENGTH, Case
from tests.conformance.wire import Answer
from tests.examples import examples
from tests.processes import Server

by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def call_both(services: Mapping[str, Any], make_environ: Any) -> Answer:
    """Call both services with equal environs. Check that the responses are equal, and return the response."""
    core, twin = (wire.call(services[name], make_environ()).comparable() for name in ("wsgi_core", "flask"))
    assert core == twin
    return core


def ask_both(servers: Mapping[str, Server], sent: bytes, method: str = "GET", **how: bool) -> Answer:
    """Send the same bytes to both servers. Check that the responses are equal, and return the response."""
    core, twin = (
        wire.exchange(servers[name].address, sent, method, **how).comparable() for name in ("wsgi_core", "flask")
    )
    assert core == twin
    return core


def test_there_are_cases_enough():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


# Hand-picked requests


@by_name
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_twins_answer_alike_in_process(case: Case, checked_services: dict[str, Any]):
    answer = call_both(checked_services, lambda: wire.environ(case.method, case.path, dict(case.headers), case.body))
    assert answer.code == case.status
    wire.assert_is_api_answer(answer, case.method, case.path)
    for text in case.says:
        assert text in answer.body.decode("utf-8")


@by_name
def test_twins_answer_alike_behind_waitress(case: Case, servers: dict[str, Server]):
    sent = wire.request_bytes(case.method, case.path, dict(case.headers), case.body)
    answer = ask_both(servers, sent, case.method)
    # The server checks the length before the application checks the content type.
    assert answer.code == (413 if len(case.body) > MAX_CONTENT_LENGTH else case.status)
    wire.assert_is_api_answer(answer, case.method, case.path)


@by_name
def test_twins_answer_alike_to_the_test_client(case: Case, services: dict[str, Any]):
    answers = []
    for name in ("wsgi_core", "flask"):
        response = (
            services[name].test_client().open(case.path, method=case.method, data=case.body, headers=dict(case.headers))
        )
        answers.append(Answer(response.status, tuple(response.headers), response.data).comparable())
    assert answers[0] == answers[1]
    assert answers[0].code < 500


# Requests that no library would send


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
BODY = json.dumps(GOOD).encode()


def chunked(body: bytes, size: int = 50_000) -> bytes:
    """Return a body in chunked encoding."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


RAW: dict[str, tuple[int, bytes]] = {
    "chunked": (200, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY)),
    "chunked in small pieces": (200, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY, 3)),
    "chunked, too large": (
        413,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY.ljust(MAX_CONTENT_LENGTH + 1)),
    ),
    "chunked, a broken size": (400, HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "no length": (400, HEAD + b"\r\n"),
    "a length that is no number": (400, HEAD + b"Content-Length: many\r\n\r\n"),
    "a negative length": (400, HEAD + b"Content-Length: -1\r\n\r\n"),
    "a length in arabic digits": (400, HEAD + "Content-Length: ٣\r\n\r\n".encode()),
    "a length that is too short": (400, HEAD + b"Content-Length: 10\r\n\r\n" + BODY),
    "http/1.0 without a host": (200, b"GET /healthz HTTP/1.0\r\n\r\n"),
    "no host": (400, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
    "an odd host": (400, b"GET /healthz HTTP/1.1\r\nHost: <a>b\\c\r\nConnection: close\r\n\r\n"),
    "two hosts": (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
    "an absolute address": (200, b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "a fragment": (200, b"GET /healthz#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "an asterisk": (404, b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "two slashes": (200, b"GET //healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "raw bytes in the path": (400, b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "raw bytes in a header": (
        200,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: \xff\xfe\r\nConnection: close\r\n\r\n",
    ),
    "a method in small letters": (400, b"get /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    "content type twice": (415, HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
    "waits to be told to continue": (
        200,
        HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    ),
}


@pytest.mark.parametrize("name", RAW)
def test_twins_answer_odd_bytes_alike(name: str, servers: dict[str, Server]):
    status, sent = RAW[name]
    answer = ask_both(servers, sent)
    assert answer.code == status


def test_a_body_cut_off_by_the_client_is_no_prediction(services: dict[str, Any]):
    """A server without waitress' buffer passes such a body on. The response must be a 400 without a prediction."""

    def cut_off() -> dict[str, Any]:
        environ = wire.environ("POST", "/predict", {"Content-Type": JSON}, BODY + b" ")
        environ["wsgi.input"] = io.BytesIO(BODY)
        return environ

    answer = call_both(services, cut_off)
    assert answer.code == 400
    assert b"churn_probability" not in answer.body


def test_a_stream_that_breaks_is_no_prediction(services: dict[str, Any]):
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("invalid chunk size")

    def broken() -> dict[str, Any]:
        return {**wire.environ("POST", "/predict", {"Content-Type": JSON}, BODY), "wsgi.input": Broken()}

    assert call_both(services, broken).code == 400


def test_a_terminated_stream_over_the_limit_is_refused(services: dict[str, Any]):
    def endless() -> dict[str, Any]:
        environ = wire.environ("POST", "/predict", {"Content-Type": JSON}, BODY.ljust(MAX_CONTENT_LENGTH + 1))
        del environ["CONTENT_LENGTH"]
        return environ | {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    assert call_both(services, endless).code == 413


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/predict", "/healthz", ""])
def test_a_request_with_the_least_that_pep_3333_allows(services: dict[str, Any], method: str, path: str):
    def least() -> dict[str, Any]:
        environ = wire.environ(method, path, {}, b"")
        for name in ("QUERY_STRING", "CONTENT_LENGTH", "HTTP_HOST", "REMOTE_ADDR"):
            del environ[name]
        return environ

    assert call_both(services, least).code < 500


def test_an_iterable_closed_unread_ends_the_request(services: dict[str, Any]):
    for service in services.values():
        iterable = service.wsgi_app(wire.environ("GET", "/healthz", {}, b""), lambda *started: None)
        if hasattr(iterable, "close"):
            iterable.close()


def test_connections_are_kept_for_the_next_request(servers: dict[str, Server]):
    for server in servers.values():
        connection = http.client.HTTPConnection(*server.address, timeout=20)
        try:
            for _ in range(3):
                for path, body, status in (("/predict", BODY, 200), ("/predict", b"{", 400), ("/nope", b"", 404)):
                    connection.request("POST", path, body, {"Content-Type": JSON})
                    response = connection.getresponse()
                    assert response.status == status
                    response.read()
        finally:
            connection.close()


# Headers that the hooks add


def test_a_clients_request_id_comes_back(servers: dict[str, Server]):
    answer = ask_both(servers, wire.request_bytes("GET", "/healthz", {"X-Request-ID": "order-66/7"}, b""))
    assert answer.header("X-Request-ID") == "order-66/7"


@pytest.mark.parametrize("given_id", ["", "a b", "a" * 129, "<script>", "\xe9", "a\tb"])
def test_a_request_id_of_other_characters_is_replaced(services: dict[str, Any], given_id: str):
    answer = call_both(services, lambda: wire.environ("GET", "/healthz", {"X-Request-ID": given_id}, b""))
    assert answer.header("X-Request-ID") == "(random)"


def test_every_answer_tells_its_time(services: dict[str, Any]):
    for path in ("/", "/predict", "/nope"):
        answer = call_both(services, lambda path=path: wire.environ("GET", path, {}, b""))
        assert answer.header("X-Response-Time-ms") == "(time)"


# Requests drawn at random

numbers = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8))
json_values = st.recursive(
    numbers,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
near_rows = st.fixed_dictionaries({}, optional={name: numbers | st.integers(-1, 130) for name in GOOD})
good_rows = st.fixed_dictionaries(
    {
        "tenure_months": st.integers(0, 120) | st.floats(0, 120),
        "monthly_charges": st.floats(0, 200),
        "total_charges": st.floats(0, 24_000),
        "contract_month_to_month": st.sampled_from([0, 1, 0.0, 1.0]),
        "has_fiber": st.sampled_from([0, 1]),
    }
)
payloads = st.one_of(
    json_values,
    near_rows,
    good_rows,
    st.lists(near_rows | good_rows | json_values, max_size=4),
    st.builds(lambda rows: {"instances": rows}, st.lists(near_rows | good_rows, max_size=3) | json_values),
)
texts = payloads.map(lambda payload: json.dumps(payload).encode())
cut_texts = st.tuples(texts, st.integers(0, 200)).map(lambda drawn: drawn[0][: drawn[1]])
bodies = st.one_of(texts, cut_texts, st.binary(max_size=60))
latin1 = st.text(st.characters(max_codepoint=255), max_size=30)
tokens = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", min_size=1, max_size=12)
paths = st.one_of(
    st.sampled_from(["/predict", "/", "/healthz", "/predict/", "//", "//predict", "/healthz//", "", "*"]), latin1
)
methods = st.one_of(
    st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "CONNECT"]), tokens
)
content_types = st.one_of(st.sampled_from([JSON, f"{JSON}; charset=latin1", "a/b+json", "text/html", ""]), latin1)
odd_variables = st.fixed_dictionaries(
    {},
    optional={
        "CONTENT_TYPE": content_types,
        "CONTENT_LENGTH": st.sampled_from(["", "0", "5", "-1", "x", "99999999999", "+3", "٣", "007", " 2"]),
        "QUERY_STRING": latin1,
        "SCRIPT_NAME": st.sampled_from(["", "/app", "/é", "app/"]),
        "HTTP_HOST": st.sampled_from(["", "a.test", "A.test:80", "[::1]:8080", "a b", "a..b", "é", "a:b"]) | latin1,
        "HTTP_COOKIE": latin1,
        "HTTP_X_REQUEST_ID": latin1,
        "HTTP_TRANSFER_ENCODING": st.sampled_from(["chunked", "gzip, chunked", "identity"]),
        "HTTP_UPGRADE": st.sampled_from(["websocket", "h2c"]),
        "HTTP_CONNECTION": st.sampled_from(["upgrade", "close", "Upgrade, close"]),
        "HTTP_ACCEPT": latin1,
        "wsgi.input_terminated": st.just(True),
        "wsgi.url_scheme": st.sampled_from(["http", "https"]),
    },
)  # fmt: skip


@examples(100, HealthCheck.function_scoped_fixture)
@given(body=bodies)
@example(body=b"[" * 100_000)
@example(body=b"9" * 5000)
def test_twins_answer_any_body_alike(services: dict[str, Any], body: bytes):
    answer = call_both(services, lambda: wire.environ("POST", "/predict", {"Content-Type": JSON}, body))
    assert answer.code in {200, 400, 422}
    wire.assert_is_api_answer(answer, "POST", "/predict")


@examples(100, HealthCheck.function_scoped_fixture)
@given(row=good_rows)
def test_any_row_within_the_limits_is_predicted(services: dict[str, Any], row: dict[str, float]):
    body = json.dumps(row).encode()
    answer = call_both(services, lambda: wire.environ("POST", "/predict", {"Content-Type": JSON}, body))
    assert answer.code == 200
    assert 0 <= json.loads(answer.body)["churn_probability"] <= 1


@examples(300, HealthCheck.function_scoped_fixture)
@given(method=methods, path=paths, body=bodies, odd=odd_variables)
def test_twins_answer_any_environ_alike(
    services: dict[str, Any], method: str, path: str, body: bytes, odd: dict[str, Any]
):
    def make_environ() -> dict[str, Any]:
        made = wire.environ(method, "/", {}, body)
        return made | {"PATH_INFO": path, "wsgi.errors": sys.stderr} | odd

    answer = call_both(services, make_environ)
    assert answer.code < 500


@examples(25, HealthCheck.function_scoped_fixture)
@given(
    body=bodies,
    content_type=st.sampled_from([JSON, "text/plain"]),
    headers=st.dictionaries(
        tokens.map(lambda name: f"X-{name}"),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
        max_size=3,
    ),
)
def test_twins_answer_anything_alike_behind_waitress(
    servers: dict[str, Server], body: bytes, content_type: str, headers: dict[str, str]
):
    headers = {key: value for key, value in headers.items() if key.lower() != "x-request-id"}
    sent = wire.request_bytes("POST", "/predict", {**headers, "Content-Type": content_type}, body)
    answer = ask_both(servers, sent, "POST")
    assert answer.code < 500
    wire.assert_is_api_answer(answer, "POST", "/predict")
