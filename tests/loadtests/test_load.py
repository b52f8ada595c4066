"""The load generators against real servers, briefly; rows; imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import loadtests
from loadtests import rows, studies
from loadtests.cases import requests_for
from loadtests.instrument import imports
from loadtests.load import closed_loop, served, window

LOCUSTFILE = Path(loadtests.__file__).with_name("locustfile.py")
RAW = studies.served_rung("raw callable")


@pytest.fixture(scope="module")
def server():
    """One rung on waitress, in a separate process."""
    with served.serving([RAW]) as servers:
        yield servers[0]


def locust(host, *arguments):
    """Run Locust. Return its exit code and its statistics. If it counted no request, run it again for longer."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--json", "--host", host]
    for seconds in (1, 4, 16):
        done = subprocess.run(
            [*command, "-r", "10", "-t", f"{seconds}s", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if entries := json.loads(done.stdout or "[]"):
            break
    assert len(entries) == 1, done.stderr
    return done.returncode, entries[0]


@pytest.mark.long  # the short run in test_cli.py loads both services with Locust, too
def test_locust_with_the_locustfile_really_loads_a_server(server):
    code, entry = locust(f"http://127.0.0.1:{server.address.port}", "-u", "2")
    assert code == 0
    assert entry["name"] == "/predict"
    assert entry["num_requests"] > 0
    assert entry["num_failures"] == 0


@pytest.mark.long
def test_a_rate_paces_the_users(server):
    _, entry = locust(f"http://127.0.0.1:{server.address.port}", "-u", "2", "--rate", "5")
    seconds = entry["last_request_timestamp"] - entry["start_time"]
    assert entry["num_requests"] <= 2 * (1 + 5 * (1 + seconds))


@pytest.mark.long
def test_locust_fails_on_answers_that_are_no_2xx():
    """The server responds with 404s, because the rung has only /predict, and this host has a prefix."""
    falcon = studies.served_rung("Falcon")
    with served.serving([falcon]) as servers:
        code, entry = locust(f"http://127.0.0.1:{servers[0].address.port}/elsewhere", "-u", "1")
    assert entry["num_failures"] == entry["num_requests"] > 0
    assert code == 1


def test_the_closed_loop_loads_a_server(server):
    job = {"server_pid": server.process.pid, "users": 2, "warm_up": 0.05, "seconds": 0.3}
    messages = closed_loop.messages_of(requests_for("predict", rows.churn_rows(5).rows), server.address)
    counted = closed_loop.drive(job, server.address, messages)
    assert counted["requests"] > 10
    assert counted["failures"] == 0
    assert counted["seconds"] >= 0.3


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "complete"),
    [
        (OK + b"Content-Length: 2\r\n", False),
        (OK + b"Content-Length: 2\r\n\r\n1", False),
        (OK + b"Content-Length: 2\r\n\r\n12", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n12", True),
        (b"HTTP/1.0 200 FINE\r\ncontent-length: 2\r\n\r\n12", True),
        (CHUNKS, False),
        (CHUNKS + b"0\r\n", False),
        (CHUNKS + b"0\r\n\r\n", True),
        (CHUNKS + b"0\r\nX-Sum: 1\r\n\r\n", True),
        (OK + b"\r\nuntil the end", False),
    ],
)
def test_a_response_counts_when_all_of_it_is_there(received, complete):
    assert closed_loop.is_complete(received, closed_loop.Message(b"")) is complete


@pytest.mark.parametrize(
    ("received", "message"),
    [
        (OK + b"Content-Length: 5\r\n\r\n", closed_loop.Message(b"", is_head=True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", closed_loop.Message(b"", b"204")),
    ],
)
def test_a_response_without_a_body_is_complete_after_its_headers(received, message):
    assert closed_loop.is_complete(received, message)


def test_a_body_without_a_length_ends_with_the_connection():
    assert closed_loop.is_complete(OK + b"\r\nuntil the end", closed_loop.Message(b""), ended=True)
    with pytest.raises(closed_loop.BadResponse, match="closed the connection"):
        closed_loop.is_complete(OK + b"Content-Length: 2\r\n\r\n1", closed_loop.Message(b""), ended=True)


def test_a_status_that_is_not_expected_ends_the_run():
    with pytest.raises(closed_loop.BadResponse, match="500 Internal"):
        closed_loop.is_complete(b"HTTP/1.1 500 Internal Server Error\r\n\r\n", closed_loop.Message(b""))


@pytest.mark.parametrize(
    ("received", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n12", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n12", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n\r\nconnection: close", False),
    ],
)
def test_a_connection_is_kept_unless_the_server_ends_it(received, closes):
    assert closed_loop.closes(received) is closes


def test_several_workers_counts_become_one_window():
    parts = [
        {"seconds": 1.0, "failures": 1, "generator_cpu_seconds": 0.2, "latencies": [1.0, 2.0]},
        {"seconds": 2.0, "failures": 2, "generator_cpu_seconds": 0.4, "latencies": [3.0]},
    ]
    found = window.merged(parts, own_cpu=0.3)
    assert found["seconds"] == 1.5
    assert (found["requests"], found["failures"]) == (3, 3)
    assert found["generator_cpu_seconds"] == 0.4
    assert found["latency_mean_ms"] == 2.0
    assert found["latencies_ms"]["p50"] == 2.0


def test_percentiles_are_values_that_were_seen():
    found = window.percentiles([float(value) for value in range(1, 101)])
    assert found == {"p50": 51.0, "p90": 91.0, "p95": 96.0, "p99": 100.0, "p99.9": 100.0}
    assert window.percentiles([]) == {}


def test_a_window_counts_only_while_it_is_open(server):
    counter = window.Window(server.process.pid)
    counter.count(1.0, None)
    counter.open()
    counter.count(2.0, None)
    counter.count(3.0, ValueError())
    counted = counter.close()
    counter.count(4.0, None)
    assert (counted["requests"], counted["failures"]) == (2, 1)


# Rows and imports


def test_real_rows_lie_within_what_the_model_takes():
    found = rows.churn_rows(50)
    assert "rows of the data set wa_churn" in found.source
    assert_accepted(found.rows)


def test_rows_are_always_the_same():
    assert rows.churn_rows(20) == rows.churn_rows(20)


def assert_accepted(asked):
    from wsgi_core.inference import ModelRepository

    answer = ModelRepository().get("churn").predict(asked)
    assert len(answer["predictions"]) == len(asked)


def test_an_import_is_measured_in_a_fresh_interpreter():
    found = imports.measure_one("wsgi_core", 0)
    assert found.wall_ms > 0
    assert found.memory_kb > imports.measure_one(imports.NOTHING, 0).memory_kb
