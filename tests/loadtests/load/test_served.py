"""Servers of every kind are compared and loaded briefly. Locust runs as a master with workers."""

import sys
from dataclasses import replace

import psutil
import pytest

from loadtests import rows, studies
from loadtests.instrument.inprocess import Mismatch
from loadtests.instrument.results import LatencyRun
from loadtests.load import served
from tests.loadtests.conftest import TINY

SHORT = replace(TINY, load_seconds=0.25, load_warm_up=0.1, rate_seconds=0.25)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")


@pytest.fixture(scope="module")
def loads():
    """The loads of two studies by their keys, with rows. To read the rows takes long."""
    requested = (studies.with_requests(studies.STUDIES[key], rows.churn_rows(20).rows) for key in ("service", "served"))
    return {load.key: load for study in requested for load in study.loads}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("on_gunicorn", marks=on_posix),
        pytest.param("on_gthread", marks=on_posix),
        "on_werkzeug",
        "on_uvicorn",
    ],
)
def test_every_server_answers_the_load_generator(key, loads):
    load = loads[key]
    with served.serving(load.services[-1:]) as servers:
        served.check(servers, load)
        found = served._closed_loop(servers[0], load, {"warm_up": 0.05, "seconds": 0.2})
    assert found["requests"] > 5
    assert found["failures"] == 0


def test_granian_answers_the_load_generator(loads):
    pytest.importorskip("granian")
    load = loads["served_service"]
    with served.serving([service for service in load.services if service.server == "granian"]) as servers:
        served.check(servers, load)
        found = served._closed_loop(servers[0], load, {"warm_up": 0.05, "seconds": 0.2})
    assert found["requests"] > 5
    # granian's worker is a child process.
    assert found["server_cpu_seconds"] > 0


@pytest.mark.long
@pytest.mark.parametrize("key", ["served_null", "served_service", "served_parts", "served_peers"])
def test_the_contenders_of_the_served_study_respond_alike(key, loads):
    study, _ = studies.runnable(replace(studies.STUDIES["served"], loads=(loads[key],)))
    with served.serving(study.loads[0].services) as servers:
        served.check(servers, study.loads[0])


def test_only_compared_services_must_respond_alike(loads):
    load = loads["served_parts"]
    null, raw = load.services[:2]
    with served.serving([null, raw]) as servers:
        served.check(servers, load)
        compared = [server._replace(service=replace(server.service, compared=True)) for server in servers]
        with pytest.raises(Mismatch, match="no probability in the response"):
            served.check(compared, load)


@pytest.mark.long
def test_a_master_adds_up_what_its_workers_have_counted(loads):
    load = replace(loads["services"], services=(studies.served_rung("raw callable"),), shares=(0.2,), latencies=False)
    spread = served.Spread(workers=2)
    entries = served.new_entries(load, spread)
    served.Pair(load, entries, SHORT, spread).measure(0)
    assert entries.rate.generator_processes == 2
    for found in (*entries.rate.runs, *entries.saturation.runs):
        assert found.requests > 5
        assert found.failures == 0
    # The requests at a fixed rate may take less than one tick of the CPU clock.
    assert entries.saturation.runs[0].server_cpu_seconds > 0
    assert entries.rate.runs[0].requests_per_second < 1.5 * entries.rate.rate


def test_the_rates_of_the_first_pair_are_those_of_all(monkeypatch, loads):
    load = loads["services"]
    entries = served.new_entries(load, served.Spread())
    pair = served.Pair(load, entries, TINY, served.Spread())
    capacities = iter([1000.0, 500.0])
    monkeypatch.setattr(pair, "_capacity", lambda server: next(capacities))
    assert pair._rates(["one", "other"]) == [200.0, 300.0, 375.0]
    assert pair._rates(["one", "other"]) == entries.latency.rates
    assert entries.rate.rate == 200.0


def test_entries_are_found_again_in_a_result_file(tmp_path):
    from loadtests.run import StudyRun

    planned = StudyRun(studies.STUDIES["served"], True, "c", tmp_path)
    for load in planned.study.loads:
        found = served.find_entries(load, planned.results)
        assert found.saturation.key == load.key
        assert (found.latency is not None) is load.latencies


def test_a_run_with_failures_has_no_value():
    about = {"service": "s", "pair": 0, "position": 0, "seconds": 1.0, "server_cpu_seconds": 0.1}
    rest = {"generator_cpu_seconds": 0.1, "latencies_ms": {}, "generator": "locust", "rate": 1.0}
    for counts in ({"requests": 5, "failures": 1}, {"requests": 0, "failures": 0}):
        with pytest.raises(served.RunFailed, match="so the run is not valid"):
            served._checked(LatencyRun(**about, **rest, **counts))


def test_what_a_server_has_started_ends_with_it(tmp_path):
    """The server's child process does not end with the server."""
    text = (
        "import http.server, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[2], 'w').write(str(child.pid))\n"
        "address = ('127.0.0.1', int(sys.argv[1]))\n"
        "http.server.HTTPServer(address, http.server.BaseHTTPRequestHandler).serve_forever()\n"
    )
    path = tmp_path / "pid.txt"
    with served.serving([studies.Service("odd", ("-c", text, "{port}", str(path)))]):
        pid = int(path.read_text())
        assert psutil.pid_exists(pid)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert not psutil.pid_exists(pid)
