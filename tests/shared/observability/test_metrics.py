"""The metrics for Prometheus, from one process and from several processes."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Server, run
from wsgi_core.shared.observability import Observation
from wsgi_core.shared.observability.metrics import BOUNDS, Metrics, render

COUNT = "http_server_request_duration_seconds_count"


def ended(method: str, route: str, status: int, seconds: float = 0.001, **times: float) -> Observation:
    observation = Observation({"REQUEST_METHOD": method, "PATH_INFO": "/secret/path"})
    observation.set_response(status, route)
    observation.elapsed = seconds
    observation.times.update(times)
    return observation


def count(metrics: Metrics, one: Observation) -> None:
    """Record the end of a request."""
    metrics.record(one.method, one.route, one.status, one.elapsed, one.times)


def samples(metrics: Any) -> dict[tuple[str, ...], float]:
    """Return the value of each sample, by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def test_the_buckets_reach_below_a_millisecond():
    assert sum(bound < 0.001 for bound in BOUNDS) >= 3
    assert list(BOUNDS) == sorted(BOUNDS)


def test_requests_are_counted_by_rule_method_and_status():
    metrics = Metrics(shared=False)
    for observation in (ended("POST", "/v2/models/<name>/infer", 200), ended("GET", "", 404)):
        count(metrics, observation)
    found = samples(metrics)
    assert found[COUNT, "POST", "/v2/models/<name>/infer", "200"] == 1
    assert found[COUNT, "GET", "", "404"] == 1
    assert "secret" not in str(found)


def test_no_request_waits_for_others_to_be_counted():
    metrics = Metrics(shared=False)
    for number in range(1, 130):
        count(metrics, ended("GET", "/", 200, parse=1.0))
        if number in (1, 49, 50, 51, 129):
            found = samples(metrics)
            assert found[COUNT, "GET", "/", "200"] == number
            assert found["http_server_request_phase_seconds_total", "parse"] == number


def test_threads_count_each_request_once():
    metrics = Metrics(shared=False)
    one = ended("GET", "/", 200)
    threads = [threading.Thread(target=lambda: [count(metrics, one) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert samples(metrics)[COUNT, "GET", "/", "200"] == 8000


def test_metrics_include_the_batch_that_another_thread_is_counting(monkeypatch: pytest.MonkeyPatch):
    metrics = Metrics(shared=False)
    begun, resume = threading.Event(), threading.Event()
    observe = metrics.requests.observe

    def observe_later(durations: Any) -> None:
        begun.set()
        assert resume.wait(10)
        observe(durations)

    monkeypatch.setattr(metrics.requests, "observe", observe_later)
    counting = threading.Thread(target=lambda: [count(metrics, ended("GET", "/", 200)) for _ in range(50)])
    counting.start()
    assert begun.wait(10)
    monkeypatch.setattr(metrics.requests, "observe", observe)
    found: dict[tuple[str, ...], float] = {}
    reading = threading.Thread(target=lambda: found.update(samples(metrics)))
    reading.start()
    reading.join(0.1)
    resume.set()
    counting.join()
    reading.join()
    assert found[COUNT, "GET", "/", "200"] == 50


def test_methods_that_a_client_invents_are_one_series():
    metrics = Metrics(shared=False)
    for number in range(50):
        count(metrics, ended(f"M{number}", "", 405))
    assert samples(metrics)[COUNT, "_OTHER", "", "405"] == 50


def test_what_is_answered_at_this_moment_is_known():
    metrics = Metrics(shared=False)
    first, second = ended("GET", "/", 200), ended("GET", "/", 200)
    metrics.active.add(first)
    metrics.active.add(second)
    assert samples(metrics)[("http_server_active_requests",)] == 2
    metrics.active.discard(first)
    assert samples(metrics)[("http_server_active_requests",)] == 1


def test_phases_and_runs_are_summed_up():
    metrics = Metrics(shared=False)
    count(metrics, ended("GET", "/", 200, parse=0.5))
    count(metrics, ended("GET", "/", 200, parse=0.25, infer=1.0))
    metrics.runs.observe([(("churn", "1"), 0.00002)])
    found = samples(metrics)
    assert found["http_server_request_phase_seconds_total", "parse"] == 0.75
    assert found["http_server_request_phase_seconds_total", "infer"] == 1.0
    assert found["model_inference_duration_seconds_count", "churn", "1"] == 1


def test_what_the_server_refused_is_told_where_there_is_such_a_server():
    server = SimpleNamespace(
        refused={"overloaded": 7}, connections=lambda: {"blocked": 2}, gauges=lambda: {"unsent_bytes": 5}
    )
    body, _ = render("", server)
    assert b'http_server_connections{state="blocked"} 2.0' in body
    assert b'http_server_connections{state="idle"} 0.0' in body
    assert b"http_server_unsent_bytes 5.0" in body
    assert b'http_server_rejected_requests_total{reason="overloaded"} 7.0' in body
    assert b'http_server_rejected_requests_total{reason="client"} 0.0' in body
    assert b"rejected" not in render("", None)[0]


@pytest.mark.parametrize("accept", ["", "text/plain", "application/openmetrics-text; version=1.0.0", "*/*;q=x", "\xff"])
def test_the_page_comes_in_the_form_that_is_accepted(accept: str):
    body, content_type = render(accept, None)
    assert ("openmetrics" in content_type) is ("openmetrics" in accept)
    assert body.endswith(b"# EOF\n") is ("openmetrics" in accept)
    assert list(text_string_to_metric_families(body.decode()))


SHARED = """
import sys
from wsgi_core.inference import timing
from wsgi_core.shared.observability import begin_request, observed_request
from wsgi_core.shared.observability.metrics import process_metrics
process_metrics()
for _ in range(int(sys.argv[1])):
    begin_request({"REQUEST_METHOD": "GET"})
    observed_request().set_response(200, "/healthz")
    timing.add("parse", 1.0)
    timing.ran("churn", "1", 0.001)
    observed_request().deactivate()
begin_request({"REQUEST_METHOD": "GET"})
if sys.argv[1] == "3":
    from wsgi_core.shared.observability.metrics import render
    print(render("", None)[0].decode())
"""


def test_processes_that_share_a_folder_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for count in ("2", "3"):
        done = run("-c", SHARED, count)
        assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert re.search(rf"^{COUNT}{{.*}} 5\.0$", printed, re.MULTILINE)
    assert re.search(r'^model_inference_duration_seconds_count{model="churn",version="1"} 5\.0$', printed, re.MULTILINE)
    assert re.search(r'^http_server_request_phase_seconds_total{phase="parse"} 5\.0$', printed, re.MULTILINE)
    # The first process has not removed its file, as if it had been killed.
    assert re.search(r"^http_server_active_requests [12]\.0$", printed, re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
def test_the_workers_of_gunicorn_answer_for_each_other(tmp_path: Path):
    config = tmp_path / "gunicorn.conf.py"
    config.write_text("from wsgi_core.shared.gunicorn import child_exit, post_worker_init\n", encoding="utf-8")
    command = ("-m", "gunicorn", "--config", str(config), "--workers", "2", "--bind", "127.0.0.1:0")
    environ = {"HOME": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    logs = {"WSGI_CORE_ACCESS_LOG": "1", "WSGI_CORE_LOG_FORMAT": "json"}
    with Server(*command, "wsgi_core.service:create_app()", **environ, **logs) as server:
        server.ready()
        url = f"http://127.0.0.1:{server.port}"
        for _ in range(20):
            with urlopen(f"{url}/healthz", timeout=20) as answer:
                assert answer.read() == b"ok"
        counted = re.compile(rf'^{COUNT}{{.*"/healthz".*}} 20\.0$', re.MULTILINE)
        until, page = time.monotonic() + 20, ""
        while not counted.search(page) and time.monotonic() < until:  # a request is counted after its response
            with urlopen(f"{url}/metrics", timeout=20) as answer:
                page = answer.read().decode()
        server.stop()
        records = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert sum(record["path"] == "/healthz" for record in records) == 20
    assert not list(tmp_path.glob("gauge_live*.db")), "a worker that has ended answers nothing any more"
    assert counted.search(page), page


def test_the_execution_providers_of_each_model_are_told() -> None:
    models = [SimpleNamespace(name="a", version="1", nodes={"OpenVINOExecutionProvider": 5, "CPUExecutionProvider": 2})]
    body, _ = render("", None, models)
    assert b'model_graph_nodes{execution_provider="OpenVINOExecutionProvider",model="a",version="1"} 5.0' in body
    assert b'model_graph_nodes{execution_provider="CPUExecutionProvider",model="a",version="1"} 2.0' in body
