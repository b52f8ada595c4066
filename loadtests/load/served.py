"""Measure the loads of a study: start servers, send requests from another process, and collect the samples.

A *service* is a server process. A *load* is a list of services to measure with the same requests. A repetition of a
load is called a *pair*. Each pair starts new server processes, compares the responses of the services, and measures the
services in turn. Every second pair has the opposite order of services.

In each pair, a generator loads each service to *saturation*: clients send without a pause. If the load has ``shares``,
a generator also sends requests at fixed rates.
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
from typing import Any, Literal, NamedTuple, TypeVar

import psutil

from loadtests import environments
from loadtests.child import command
from loadtests.instrument.driver import Response, WrongResponse, check_status, compare
from loadtests.instrument.inprocess import Mismatch, RunFailed
from loadtests.instrument.request import Request
from loadtests.instrument.results import LatencyResult, LatencyRun, LoadResult, Results, Run
from loadtests.load.closed_loop import Address
from loadtests.load.window import VARIABLE
from loadtests.studies import Budget, Load, Service

Window = dict[str, Any]
Generator = Literal["open loop", "locust"]

LOCUST = [sys.executable, "-m", "locust", "--loglevel", "ERROR", "-f", str(Path(__file__).parents[1] / "locustfile.py")]
# Locust's default port, to which workers on other machines connect.
MASTER_PORT = 5557

# The number of the server's threads, and of clients. With more clients, waitress would queue requests and log warnings.
THREADS = 4
# An open loop uses more connections, so that requests rarely wait in the generator, but fewer than the server's limit
# for one client.
CONNECTIONS = 16
START_SECONDS = 1.2
# A model server in its own environment needs longer to start, because its imports take long.
OWN_START_SECONDS = 10.0
GENERATOR_START = {"locust": 0.9, "closed loop": 0.3}
CALIBRATION = {"warm_up": 0.1, "seconds": 0.4}
# Headers that differ from response to response or from server to server.
VOLATILE = frozenset({"connection", "date", "server", "server-timing", "x-request-id", "x-response-time-ms"})
# How many responses of each service are compared before the first window.
COMPARED = 20
# Probabilities of model servers may differ in the last bit of a float32.
TOLERANCE = 1e-6
MODEL_SERVERS = Path(__file__).resolve().parents[1] / "model_servers"


class Server(NamedTuple):
    service: Service
    address: Address
    process: subprocess.Popen[bytes]
    folder: Path


class Spread(NamedTuple):
    """How Locust is spread over processes and machines.

    Locust runs as a master with ``workers`` worker processes. If ``workers`` is 0, Locust runs in a single process. If
    ``remote`` is true, the workers run on other machines. ``host`` is the address on which the measured servers listen.
    """

    workers: int = 0
    remote: bool = False
    host: str = "127.0.0.1"


class Entries(NamedTuple):
    """The entries of one load in the result file: at saturation, at a fixed rate, and the latencies.

    ``rate`` is None if the load has no ``shares``. ``latency`` is None if the load has no ``latencies``.
    """

    saturation: LoadResult
    rate: LoadResult | None
    latency: LatencyResult | None


def new_entries(load: Load, spread: Spread) -> Entries:
    """Return the entries of ``load`` in a result file, without samples."""
    services = [service.name for service in load.services]
    about: Window = {"title": load.title, "services": services, "server": load.server}
    about |= {"server_threads": THREADS, "users": THREADS}
    loaded = {**about, "generator": load.generator, "generator_processes": max(1, spread.workers)}
    rate = LoadResult(key=f"{load.key}_rate", mode="rate", **loaded) if load.shares else None
    shares = list(load.shares)
    latency = LatencyResult(key=f"{load.key}_latency", connections=CONNECTIONS, shares=shares, **about)
    return Entries(LoadResult(key=load.key, **loaded), rate, latency if load.latencies else None)


def find_entries(load: Load, results: Results) -> Entries:
    loads = {one.key: one for one in results.loads}
    latencies = {one.key: one for one in results.latencies}
    return Entries(loads[load.key], loads.get(f"{load.key}_rate"), latencies.get(f"{load.key}_latency"))


def planned_seconds(load: Load, budget: Budget) -> float:
    """Return the planned duration of one pair of ``load`` in seconds, with the starts of servers and generators."""
    rates = budget.rate_seconds + budget.load_warm_up
    window = GENERATOR_START[load.generator] + budget.load_warm_up + budget.load_seconds + len(load.shares) * rates
    if load.latencies:
        window += GENERATOR_START["closed loop"] + len(load.shares) * rates
    start = OWN_START_SECONDS if any(service.requires for service in load.services) else START_SECONDS
    return start + len(load.services) * (0.3 + window)


@contextlib.contextmanager
def serving(services: Sequence[Service], host: str = "127.0.0.1") -> Iterator[list[Server]]:
    """Start the services, each on a free port, and wait until all are ready. Stop them when the context exits.

    Raises ``RunFailed`` if a server does not start, or if its virtual environment cannot be created.
    """
    servers: list[Server] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            for number, service in enumerate(services):
                own = Path(folder, str(number))
                own.mkdir()
                servers.append(_start(service, host, own))
            for server in servers:
                _wait(server)
            yield servers
        finally:
            started = [child for server in servers for child in _children(server.process)]
            for server in servers:
                server.process.terminate()
            for server in servers:
                _end(server.process)
            for child in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return all descendants of a server's process, or [] if the process has ended. Some servers end without ending
    their child processes.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
        return found
    return []


def _start(service: Service, host: str, folder: Path) -> Server:
    ports = free_ports(3, host)
    places = {"host": host, "port": ports[0], "port2": ports[1], "port3": ports[2], "threads": THREADS}
    places |= {"folder": folder, "model_servers": MODEL_SERVERS, "churn": _churn() if service.environ else ""}
    python = environments.interpreter(service.requires) if service.requires else sys.executable
    environ = {**os.environ, **{name: _filled(value, places) for name, value in service.environ.items()}}
    # Standard output, with the access log, is discarded. Standard error is kept, to show why a server did not start.
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [python, *(_filled(part, places) for part in service.arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environ,
        )
    return Server(service, Address(host, ports[0]), process, folder)


def _filled(text: str, places: dict[str, Any]) -> str:
    # Not format(), because a user's target may contain braces.
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _churn() -> Path:
    from wsgi_core.inference import default_models_dir

    return (default_models_dir() / "churn" / "1" / "model.onnx").resolve()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return ``count`` different ports on which no program listens at the moment."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _wait(server: Server, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and server.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _is_ready(server):
                return
        time.sleep(0.05)
    started = " ".join(server.service.arguments)
    raise RunFailed(f"{server.service.name}: the server did not start: python {started}\n{_log(server)}".rstrip())


def _log(server: Server) -> str:
    """Return the end of what a server has written to standard error."""
    return (server.folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip()[-2000:]


def _is_ready(server: Server) -> bool:
    if not server.service.ready:
        socket.create_connection(server.address, timeout=1).close()
        return True
    return ask(server.address, Request("GET", server.service.ready)).status.startswith("200")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check(servers: Sequence[Server], load: Load) -> None:
    """Send the first ``COMPARED`` requests of the load to every server, and compare the responses.

    ``load.compared`` says what must be equal. Raises ``Mismatch`` at the first difference or unexpected status. Raises
    ``RunFailed`` if a server does not respond.
    """
    requests = load.requests[:COMPARED]
    try:
        responses = [(server.service, _ask_all(server, requests)) for server in servers]
        found = {service.name: said for service, said in responses if service.compared}
        if load.compared == "bytes":
            compare(found, requests)
        elif load.compared == "probability":
            _compare_probabilities(found)
    except WrongResponse as error:
        raise Mismatch(str(error)) from error


def _ask_all(server: Server, requests: Sequence[Request]) -> list[Response]:
    try:
        responses = [ask(server.address, request) for request in requests]
    except (OSError, http.client.HTTPException) as error:
        text = f"{server.service.name}: the server does not respond: {error!r}\n{_log(server)}"
        raise RunFailed(text.rstrip()) from error
    for request, response in zip(requests, responses, strict=True):
        check_status(server.service.name, request, response)
    return responses


def _compare_probabilities(found: dict[str, list[Response]]) -> None:
    (first, reference), *others = ((name, [_probability(one) for one in said]) for name, said in found.items())
    for name, said in others:
        for one, other in zip(reference, said, strict=True):
            if abs(one - other) > TOLERANCE:
                raise WrongResponse(
                    f"{name} and {first} return different probabilities for the same row: {other}, {one}"
                )


def _probability(response: Response) -> float:
    """Return the probability in a response of any known format. Raises ``WrongResponse`` if there is no probability."""
    try:
        value = json.loads(response.body)
        return float(value["outputs"][0]["data"][-1] if "outputs" in value else value["churn_probability"])
    except (ValueError, LookupError, TypeError) as error:
        raise WrongResponse(f"no probability in the response {response.body[:200]!r}") from error


def ask(address: Address, request: Request) -> Response:
    """Send one request over HTTP. Return the response without the headers in ``VOLATILE``."""
    host = f"{address.host}:{address.port}"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request.message(host))
        response = http.client.HTTPResponse(connection, method=request.method)
        response.begin()
        found = sorted((n.lower(), v) for n, v in response.getheaders() if n.lower() not in VOLATILE)
        return Response(f"{response.status} {response.reason}", found, response.read())


class Pair:
    """The measurement of one load. Each call of ``measure`` carries out one pair.

    The samples of each pair are added to ``entries``.
    """

    def __init__(self, load: Load, entries: Entries, budget: Budget, spread: Spread) -> None:
        self.load, self.entries, self.budget, self.spread = load, entries, budget, spread

    def measure(self, number: int) -> None:
        """Carry out the pair ``number``. If ``number`` is odd, the order of the services is reversed."""
        with serving(self.load.services, self.spread.host) as servers:
            check(servers, self.load)
            rates = self._rates(servers)
            order = servers if number % 2 == 0 else servers[::-1]
            measured = [self._serve(server, rates, number, place) for place, server in enumerate(order)]
        # All or nothing: an interrupted pair must not leave half of its samples.
        for saturation, moderate, latencies in measured:
            self.entries.saturation.runs.append(saturation)
            if self.entries.rate:
                self.entries.rate.runs.append(moderate)
            if self.entries.latency:
                self.entries.latency.runs += latencies

    def _rates(self, servers: Sequence[Server]) -> list[float]:
        """Return the fixed rates to measure, in requests a second.

        The first pair determines the rates for all pairs.
        """
        rate, latency = self.entries.rate, self.entries.latency
        if rate and not rate.rate:
            slowest = min(self._capacity(server) for server in servers)
            rates = [round(share * slowest, 1) for share in self.load.shares]
            rate.rate = rates[0]
            if latency:
                latency.rates = rates
        return latency.rates if latency else [rate.rate] if rate else []

    def _capacity(self, server: Server) -> float:
        found = _closed_loop(server, self.load, CALIBRATION)
        return float(found["requests"] / found["seconds"])

    def _serve(self, server: Server, rates: list[float], number: int, place: int) -> tuple[Run, Run, list[LatencyRun]]:
        """Measure one service. Return its window at saturation, its window at the first of ``rates``, and latencies.

        If ``rates`` is empty, the second window is the window at saturation. ``number`` is the number of the pair, and
        ``place`` is the position of the service in the pair.
        """
        about: Window = {"service": server.service.name, "pair": number, "position": place}
        stages = [self._stage(rate, self.budget.rate_seconds) for rate in rates]
        most = self._stage(0.0, self.budget.load_seconds)
        by_generator: dict[Generator, list[Window]] = {}
        if self.load.generator == "locust":
            *by_rate, saturation = _locust(server, self.load, [*stages, most], self.spread)
            by_generator["locust"] = by_rate
        else:
            saturation = _closed_loop(server, self.load, most)
        if self.entries.latency or (stages and not by_generator):
            by_generator["open loop"] = _open_loop(server, self.load, stages, seed=number)
        first = next((windows[0] for windows in by_generator.values() if windows), saturation)
        moderate = {key: value for key, value in first.items() if key != "lag_ms"}
        latencies = [
            _checked(LatencyRun(**about, **window, generator=generator, rate=rate))
            for generator, windows in by_generator.items()
            for rate, window in zip(rates, windows, strict=False)
        ]
        return _checked(Run(**about, **saturation)), _checked(Run(**about, **moderate)), latencies

    def _stage(self, rate: float, seconds: float) -> Window:
        return {"rate": rate, "warm_up": self.budget.load_warm_up, "seconds": seconds}


AnyRun = TypeVar("AnyRun", bound=Run)


def _checked(run: AnyRun) -> AnyRun:
    if run.failures or not run.requests:
        raise RunFailed(f"{run.service}: {run.failures} of {run.requests} requests failed, so the run is not valid")
    return run


def _locust(server: Server, load: Load, stages: list[Window], spread: Spread) -> list[Window]:
    """Measure one window for each stage with Locust. A stage has the rate, the warm-up and the length of its window.

    The rate 0 stands for saturation.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as workers:
        out, given = Path(folder, "windows.json"), Path(folder, "rows.json")
        given.write_text(json.dumps([json.loads(one.body) for one in load.requests]), encoding="utf-8")
        wanted = {"stages": stages, "server_pid": server.process.pid, "out": str(out), "rows": str(given)}
        wanted |= {"users": THREADS, "generators": max(1, spread.workers)}
        environ = {**os.environ, VARIABLE: json.dumps(wanted)}
        arguments = ["--host", f"http://{server.address.host}:{server.address.port}", "--headless", "--only-summary"]
        arguments += ["-u", str(THREADS), "-r", "100"]
        if spread.workers:
            port = MASTER_PORT if spread.remote else free_ports(1)[0]
            arguments += ["--master", "--master-bind-port", str(port), "--expect-workers", str(spread.workers)]
            for _ in range(0 if spread.remote else spread.workers):
                workers.enter_context(_locust_worker(port, environ))
        log = _run([*LOCUST, *arguments], b"", environ)
        if not out.exists():
            raise RunFailed(f"Locust measured nothing:\n{log}")
        measured: list[Window] = json.loads(out.read_text(encoding="utf-8"))
        return measured


@contextlib.contextmanager
def _locust_worker(port: int, environ: dict[str, str]) -> Iterator[None]:
    """Run a Locust worker until the context exits. The worker connects to the master on ``port`` of this machine."""
    arguments = [*LOCUST, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    try:
        yield
    finally:
        process.terminate()
        _end(process)


def _closed_loop(server: Server, load: Load, window: Window) -> Window:
    found: Window = json.loads(_generate("closed_loop", server, load, {**window, "users": THREADS}))
    return found


def _open_loop(server: Server, load: Load, stages: list[Window], seed: int) -> list[Window]:
    wanted = {"stages": stages, "connections": CONNECTIONS, "seed": seed}
    found: list[Window] = json.loads(_generate("openloop", server, load, wanted))
    return found


def _generate(module: str, server: Server, load: Load, wanted: dict[str, Any]) -> str:
    requests = [request.to_json() for request in load.requests]
    job = {**wanted, **server.address._asdict(), "server_pid": server.process.pid, "requests": requests}
    return _run(command(f"loadtests.load.{module}"), json.dumps(job).encode(), dict(os.environ))


def _run(arguments: list[str], job: bytes, environ: dict[str, str]) -> str:
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        try:
            out, err = process.communicate(job)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RunFailed(f"the load generator failed:\n{err.decode('utf-8', 'replace').strip()[-2000:]}")
    return out.decode("utf-8", "replace")
