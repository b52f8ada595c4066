"""Several server processes on one port share requests, metrics and models, and a killed process is replaced."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conformance.cases import GOOD
from tests.processes import Server, run
from wsgi_core.inference import default_models_dir
from wsgi_core.serving.processes import process_count
from wsgi_core.shared.settings import Settings

# In seconds. Under Wine, a process starts slowly.
PATIENCE = 120 if sys.platform == "win32" else 30
APP = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture(scope="module")
def app_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("app") / "pids.py"
    file.write_text(APP, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def shared_server(app_file: Path) -> Iterator[Server]:
    """A server with two processes, shared by tests that do not change it."""
    with served("--app", str(app_file), "--metrics-path", "/metrics") as server:
        yield server


@contextlib.contextmanager
def served(*options: str, processes: int = 2, **environ: str) -> Iterator[Server]:
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--processes", str(processes), *options)
    with Server(*command, **environ) as server:
        yield server.ready()


def ask(server: Server, path: str = "/", method: str = "GET", body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_until(true: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def workers(server: Server) -> list[psutil.Process]:
    """Return the server processes of the parent, without multiprocessing's resource tracker."""
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [process for process in found if "spawn_main" in " ".join(process.cmdline())]


def pids(server: Server, number: int) -> Counter[int]:
    """Send ``number`` simultaneous requests. Return how many of them each process answered."""
    found: Counter[int] = Counter()

    def one() -> None:
        found[int(ask(server, "/slow")[1])] += 1

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.total() == number
    return found


def test_as_many_as_there_are_cores():
    assert process_count(Settings(processes=3)) == 3
    assert (
        process_count(Settings(processes="auto")) == len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else (os.cpu_count() or 1)
    )


def test_requests_are_shared_and_a_stop_answers_all_of_them_and_leaves_nothing(app_file: Path, tmp_path: Path):
    with served("--app", str(app_file), TMPDIR=str(tmp_path), TEMP=str(tmp_path)) as server:
        wait_until(lambda: len(pids(server, 8)) == 2)
        assert "in each of 2 processes" in "".join(server.lines)
        assert list(tmp_path.glob("wsgi-core-metrics-*"))
        found = workers(server)
        with contextlib.ExitStack() as stack:
            clients = [http.client.HTTPConnection(*server.address, timeout=PATIENCE) for _ in range(6)]
            for client in clients:
                stack.callback(client.close)
                client.request("GET", "/slow")
            server.process.terminate()
            assert [client.getresponse().status for client in clients] == [200] * 6
        if sys.platform != "win32":  # on Windows, terminate() sends no signal
            assert server.process.wait(PATIENCE) == 0
            assert list(tmp_path.glob("wsgi-core-metrics-*")) == []
            assert not any(process.is_running() for process in found)
        server.stop()
        assert "Traceback" not in "".join(server.lines)


def test_a_process_that_is_killed_is_started_again_and_loses_what_it_held(app_file: Path):
    with served("--app", str(app_file)) as server:
        wait_until(lambda: len(pids(server, 8)) == 2)
        victim = next(iter(pids(server, 4)))
        kept = {process.pid for process in workers(server)} - {victim}
        lost: list[str] = []
        answered: list[int] = []
        done = threading.Event()

        def go_on() -> None:
            while not done.is_set():
                try:
                    answered.append(int(ask(server)[1]))
                except (OSError, http.client.HTTPException) as error:
                    lost.append(repr(error))

        threads = [threading.Thread(target=go_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            psutil.Process(victim).kill()
            wait_until(lambda: set(answered[-50:]) - kept - {victim})  # the replacement process answers
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert len(lost) <= len(threads)  # the requests that the process was processing
        assert len(workers(server)) == 2
        assert f"(pid {victim}) ended with exit code" in "".join(server.lines)


def test_metrics_speak_for_all_processes(shared_server: Server):
    wait_until(lambda: len(pids(shared_server, 8)) == 2)
    before = requests(shared_server)
    for _ in range(10):
        ask(shared_server)
    # A request is counted after its response.
    wait_until(lambda: requests(shared_server) - before == 10)
    assert {requests(shared_server) - before for _ in range(3)} == {10}


def test_metrics_count_the_connections_and_refusals_of_all_processes(app_file: Path):
    with served("--app", str(app_file), "--metrics-path", "/metrics", "--threads=1", "--max-waiting=0") as server:
        refused = slow_statuses(server)[503] + slow_statuses(server)[503]
        assert refused
        kept = [http.client.HTTPConnection(*server.address, timeout=PATIENCE) for _ in range(12)]
        try:
            for connection in kept:
                connection.request("GET", "/metrics")
                connection.getresponse().read()
            # A process without requests writes its figures once a second.
            wait_until(lambda: figure(server, 'http_server_connections{state="idle"}') >= len(kept))
            wait_until(lambda: figure(server, 'http_server_rejected_requests_total{reason="overloaded"}') == refused)
        finally:
            for connection in kept:
                connection.close()
        wait_until(lambda: figure(server, 'http_server_connections{state="idle"}') < len(kept))


def slow_statuses(server: Server) -> Counter[int]:
    """Return the statuses of 12 simultaneous slow requests."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(ask(server, "/slow")[0])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(found)


def figure(server: Server, name: str) -> float:
    text = ask(server, "/metrics")[1].decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])  # type: ignore[index]


def requests(server: Server) -> int:
    text = ask(server, "/metrics")[1].decode()
    lines = re.findall(r"^http_server_request_duration_seconds_count\{.*\} (\S+)$", text, re.M)
    return int(sum(map(float, lines)))


def test_a_reload_reaches_every_process(tmp_path: Path):
    shutil.copytree(default_models_dir() / "churn", tmp_path / "churn")
    with served("--models", str(tmp_path), "--model-control") as server:
        assert ask(server, "/predict", "POST", json.dumps(GOOD))[0] == 200
        shutil.copytree(default_models_dir() / "identity", tmp_path / "identity")
        status, body = ask(server, "/v2/repository/reload", "POST", "{}")
        assert (status, json.loads(body)["added"]) == (200, ["identity/1"])
        # Each request may reach either process, so both must have loaded the model.
        assert {ask(server, "/v2/models/identity")[0] for _ in range(20)} == {200}
        assert ask(server, "/v2/repository/models/identity/unload", "POST", "{}")[0] == 200
        assert {ask(server, "/v2/models/identity")[0] for _ in range(20)} == {404}


def test_models_that_cannot_be_loaded_are_exit_code_3_and_the_reason(tmp_path: Path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    done = run("-m", "wsgi_core", "serve", "--port", "0", "--processes", "2", "--models", str(tmp_path))
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "broken" in line


def test_an_application_that_cannot_be_loaded_is_exit_code_3_too(tmp_path: Path):
    done = run("-m", "wsgi_core", "serve", "--port", "0", "--processes", "2", "--app", "none", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("Error: --app none: there is no module 'none'")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_signal_to_one_process_does_not_close_the_port(shared_server: Server):
    for process in workers(shared_server):
        process.send_signal(signal.SIGTERM)
    assert all(ask(shared_server)[0] == 200 for _ in range(10))
    assert len(workers(shared_server)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_without_the_parent_the_processes_end(app_file: Path):
    with served("--app", str(app_file)) as server:
        found = workers(server)
        assert len(found) == 2
        server.process.send_signal(signal.SIGKILL)
        gone, alive = psutil.wait_procs(found, PATIENCE)
        assert (len(gone), alive) == (2, [])
