"""The served part of a study: a server process on waitress, a generator process, one window of load.

Services are loaded in turn, A B, B A, ...; each pair gets new server processes, so a pair is an independent unit.
Before the first window the answers are compared byte for byte over HTTP.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from loadtests.exchanges import Row
from loadtests.inprocess import Mismatch, RunFailed
from loadtests.results import Run
from loadtests.studies import Budget, Load, Service
from loadtests.window import VARIABLE

# As many clients as the server has threads: one more, and waitress would queue and warn.
THREADS = 4
START_SECONDS = 0.8
GENERATOR_START = {"locust": 0.7, "lean": 0.3}
# Differ from answer to answer, and from server to server.
VOLATILE = frozenset({"date", "server", "x-request-id", "x-response-time-ms"})


class Server(NamedTuple):
    """A running server."""

    service: Service
    port: int
    process: subprocess.Popen[bytes]


def planned_seconds(load: Load, budget: Budget) -> float:
    """How long one pair (one window for each service) takes, in seconds."""
    window = GENERATOR_START[load.generator] + budget.load_warm_up + budget.load_seconds
    return START_SECONDS + len(load.services) * window


@contextlib.contextmanager
def serving(services: Sequence[Service]) -> Iterator[list[Server]]:
    """Start the services, each on a free port, wait until all answer, and stop them at the end."""
    servers: list[Server] = []
    try:
        servers.extend(_start(service) for service in services)
        for server in servers:
            _wait(server)
        yield servers
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            _end(server.process)


def _start(service: Service) -> Server:
    port = free_port()
    arguments = [part.format(port=port, threads=THREADS) for part in service.arguments]
    # The access log goes nowhere, for every service alike.
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Server(service, port, process)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Server, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if server.process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.05)
    command = " ".join(server.service.arguments)
    raise RunFailed(f"{server.service.name}: the server does not start: python {command}", 5)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def compare(servers: Sequence[Server], rows: Sequence[Row]) -> None:
    """Ask every server about the same rows; raises ``Mismatch`` at the first difference."""
    answers = {server.service.name: [ask(server.port, row) for row in rows] for server in servers}
    (first, reference), *others = answers.items()
    for name, answer in others:
        for row, one, other in zip(rows, reference, answer, strict=True):
            if one != other or not one.startswith("200"):
                text = f"POST /predict {json.dumps(row)}: the servers do not give the same bytes"
                raise Mismatch(f"{text}\n  {first}: {one}\n  {name}: {other}")


def ask(port: int, row: Row) -> str:
    """Status, the headers that compare, and body of one answer, as one text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/predict", json.dumps(row), {"Content-Type": "application/json"})
        response = connection.getresponse()
        headers = sorted((n.lower(), v) for n, v in response.getheaders() if n.lower() not in VOLATILE)
        return f"{response.status} {response.reason} {headers} {response.read()!r}"
    finally:
        connection.close()


def measure_pair(load: Load, rows: Sequence[Row], budget: Budget, pair: int) -> list[Run]:
    """New servers, compared, then one window for each: in the load's order for even pairs, backwards for odd ones."""
    with serving(load.services) as servers:
        compare(servers, rows[:20])
        order = servers if pair % 2 == 0 else servers[::-1]
        return [_measure(load, server, rows, budget, pair, position) for position, server in enumerate(order)]


def _measure(load: Load, server: Server, rows: Sequence[Row], budget: Budget, pair: int, position: int) -> Run:
    window = {"server_pid": server.process.pid, "warm_up": budget.load_warm_up, "seconds": budget.load_seconds}
    generate = _locust if load.generator == "locust" else _lean
    run = Run(service=server.service.name, pair=pair, position=position, **generate(server.port, rows, window))
    if run.failures or not run.requests:
        text = f"{run.service}: {run.failures} of {run.requests} requests failed; a run with failures has no value"
        raise RunFailed(text, 5)
    return run


def _locust(port: int, rows: Sequence[Row], window: dict[str, Any]) -> dict[str, Any]:
    """Locust without its web page, on the locustfile that also works alone."""
    with tempfile.TemporaryDirectory() as folder:
        out, given = Path(folder, "window.json"), Path(folder, "rows.json")
        given.write_text(json.dumps(rows), encoding="utf-8")
        environ = {**os.environ, VARIABLE: json.dumps({**window, "out": str(out), "rows": str(given)})}
        arguments = ["-f", str(Path(__file__).with_name("locustfile.py")), "--host", f"http://127.0.0.1:{port}"]
        arguments += ["--headless", "-u", str(THREADS), "-r", "100", "--only-summary", "--loglevel", "ERROR"]
        log = _run([sys.executable, "-m", "locust", *arguments], b"", environ)
        if not out.exists():
            raise RunFailed(f"Locust measured nothing:\n{log}", 5)
        measured: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return measured


def _lean(port: int, rows: Sequence[Row], window: dict[str, Any]) -> dict[str, Any]:
    """The lean generator, in a process of its own."""
    orders = {**window, "port": port, "users": THREADS, "bodies": [json.dumps(row) for row in rows]}
    out = _run([sys.executable, "-m", "loadtests.lean"], json.dumps(orders).encode(), dict(os.environ))
    measured: dict[str, Any] = json.loads(out)
    return measured


def _run(command: list[str], orders: bytes, environ: dict[str, str]) -> str:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        try:
            out, err = process.communicate(orders)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RunFailed(f"the load generator failed:\n{err.decode('utf-8', 'replace').strip()[-2000:]}", 5)
    return out.decode("utf-8", "replace")
