"""Send random requests to both services behind their servers: ``python -m tests.fuzz [--seconds 30] [--seed N]``.

Some requests are made of parts that are mostly valid, with bytes changed, removed or doubled. Other requests have a
valid head and a random body. Both services must give the same response, and no 5xx. At the end, /healthz must return
200, and the logs must have no traceback.
"""

from __future__ import annotations

import json
import random
import re
import socket
import time
from typing import Any

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.conformance.cases import GOOD as GOOD_ROW
from tests.processes import Server

EXAMPLES = 100  # per round; the time limit is checked after each round
PATIENCE = 20
# Short timeouts, so that an incomplete request gets its response soon.
LIMITS = ("--header-timeout=0.3", "--body-timeout=0.3", "--max-content-length=100000")

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_VOLATILE = re.compile(rb"(?im)^(?:date|expires|allow|x-request-id|x-response-time-ms|server-timing):.*\r\n")
_TIMES = re.compile(rb'"timestamp":"[^"]*"')

PATHS = [
    "/", "/predict", "/healthz", "/readyz", "/docs", "/openapi.json", "/sentiment", "/api/v1/predict",
    "/api/v1/health", "/predict/stream", "/v2", "/v2/models/churn", "/v2/models/churn/infer", "/v2/health/ready",
    "/v2/repository/index", "/webhooks/x", "/demo/digits", "/rag-chat", "/%2e%2e/", "/a?b=%zz", "*", "http://x/", "//",
]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "M-SEARCH"]
HEADERS = [
    b"Content-Type: application/json", b"Content-Type: application/x-ndjson", b"Content-Type: application/octet-stream",
    b"Content-Type: multipart/form-data; boundary=x", b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: -1",
    b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue", b"Host: x", b"Host: a b", b"Host: [::1",
    b"Content-Encoding: gzip", b"Accept-Encoding: gzip", b"Accept: text/event-stream", b"Cookie: session=a.b.c",
    b"Inference-Header-Content-Length: 10", b"X-Request-ID: 1", b"X-Request-Timeout: 5", b"X-Request-Timeout: x",
    b"Origin: null", b"Access-Control-Request-Method: POST", b"Range: bytes=0-1", b"If-None-Match: *", b"Upgrade: h2c",
    b"X-HTTP-Method-Override: DELETE", b"X-Forwarded-For: 1.2.3.4", b"traceparent: 00-1-2-3", b" folded", b"a b: c",
]  # fmt: skip
JSON_PARTS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'"text"', b'"instances"', b'"inputs"', b'"name"', b'"shape"',
    b'"datatype"', b'"data"', b'"FP32"', b'"query"', b'"tenure_months"', b'"input"', b"0", b"-1", b"1e400", b"1" * 400,
    b"1" * 5000, b"NaN", b"Infinity", b"null", b"true", b'"\\ud800"', b'"\\u0000"', b"\xff", b"\xef\xbb\xbf",
    b"[" * 200, b"\xed\xa0\x80", b"\n",
]  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "/predict": GOOD_ROW,
    "/sentiment": {"text": "good"},
    "/v2/models/identity/infer": {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]},
}  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just("FP32")
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


@st.composite
def changed(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes from ``whole``, and replace, remove or double some of them."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 20)))
        data = data[:start] + draw(st.sampled_from([b"", data[start:end] * 2]) | st.binary(max_size=4)) + data[end:]
    return data


def head(method: str, path: str, headers: list[bytes]) -> bytes:
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode("latin-1"), *headers, b"", b""])


HEALTH = head("GET", "/healthz", [b"Host: x", b"Connection: close"])
# Most requests close the connection. Without "Connection: close", the server closes it after a timeout.
ends = st.sampled_from([[b"Connection: close"], [b"Connection: close"], [b"Connection: close"], []])
headers = st.builds(list.__add__, ends, st.lists(st.sampled_from(HEADERS), max_size=6))
heads = st.builds(head, st.sampled_from(METHODS), st.sampled_from(PATHS), headers)
chunks = st.lists(st.binary(max_size=20), max_size=4).map(
    lambda parts: b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
)
raw_requests = changed(st.builds(bytes.__add__, heads, st.just(b"") | st.binary(max_size=50) | chunks))


@st.composite
def bodies(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """Draw a body for a route that accepts ``good``: similar to it, any JSON, pieces of JSON, or any bytes."""
    near = st.fixed_dictionaries({key: st.just(value) | values for key, value in good.items()})
    texts = (near | values).map(lambda value: json.dumps(value).encode())
    pieces = st.lists(st.sampled_from(JSON_PARTS), max_size=12).map(b"".join)
    return draw(changed(texts) | pieces | st.binary(max_size=100))


@st.composite
def posts(draw: st.DrawFn) -> bytes:
    """Draw a request with a correct Content-Length and a random body."""
    path = draw(st.sampled_from(list(GOOD)))
    body = draw(bodies(GOOD[path]))
    headers = [b"Host: x", b"Content-Type: application/json", b"Content-Length: %d" % len(body), b"Connection: close"]
    return head("POST", path, headers) + body


def ask(servers: list[Server], sent: bytes) -> list[bytes]:
    """Send the same bytes to each server, and return all that each server sends until it closes the connection.

    Raises AssertionError if a server does not close the connection.
    """
    connections = [socket.create_connection(server.address, timeout=PATIENCE) for server in servers]
    try:
        for connection in connections:
            try:
                connection.sendall(sent)
            except ConnectionError:
                pass  # the server has already rejected the request
        return [read(connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def read(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except TimeoutError:
        raise AssertionError(f"no end after {received[-200:]!r}") from None
    except ConnectionError:
        pass
    return received


def check(servers: list[Server], sent: bytes) -> None:
    """Send the same bytes to both servers. Raises AssertionError for a 5xx, or if the responses differ."""
    # If a request has no Host, a response may contain the port.
    ports = [b":%d" % server.address[1] for server in servers]
    answers = [answer.replace(port, b"") for answer, port in zip(ask(servers, sent), ports, strict=True)]
    statuses = [int(status) for status in _STATUS.findall(answers[0])]
    assert not [status for status in statuses if status >= 500], answers[0]
    core, twin = (_TIMES.sub(b"", _VOLATILE.sub(b"", answer)) for answer in answers)
    assert core == twin


def fuzz(seconds: float, first_seed: int) -> int:
    """Run rounds of examples for at least ``seconds``. Return the number of examples. Raises what `check` raises."""
    until, count = time.monotonic() + seconds, 0
    command = ("-m", "wsgi_core", "serve", "--port=0", "--idle-timeout=0.5", *LIMITS, "--framework")
    with Server(*command, "wsgi_core") as core, Server(*command, "flask") as twin:
        servers = [core.ready(), twin.ready()]
        while time.monotonic() < until:
            run_round(servers, first_seed + count)
            count += EXAMPLES
        for server, answer in zip(servers, ask(servers, HEALTH), strict=True):
            assert b" 200 OK" in answer
            log = "".join(server.lines)
            assert "Traceback" not in log, log
    return count


def run_round(servers: list[Server], number: int) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(raw_requests | posts())
    def both_answer_alike(sent: bytes) -> None:
        check(servers, sent)

    both_answer_alike()


@click.command()
@click.option("--seconds", default=30.0, show_default=True)
@click.option("--seed", "first_seed", type=int, help="Repeat the run with this seed. Default: a random seed.")
def main(seconds: float, first_seed: int | None) -> None:
    """Send random requests to both services, and compare the responses."""
    number = random.randrange(1 << 30) if first_seed is None else first_seed
    click.echo(f"seed {number}")
    click.echo(f"{fuzz(seconds, number)} requests: the same responses from both services, and no 5xx")


if __name__ == "__main__":
    main()
