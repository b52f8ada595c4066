"""The served part of a study: a server process, a generator process, windows of load.

Services are loaded in turn, A B, B A, ...; each pair gets new server processes, so a pair is an independent unit.
Before the first window the answers are compared byte for byte over HTTP. Each service is asked at fixed rates and with
as many requests as it takes, by Locust, and where latencies are wanted at the same rates in an open loop.
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
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from loadtests.instrument.driver import Allowed, Answer, Ask, WrongAnswer, compare_answers
from loadtests.instrument.exchanges import Exchange, Row, for_case
from loadtests.instrument.inprocess import Mismatch, RunFailed
from loadtests.instrument.results import LatencyResult, LatencyRun, LoadResult, Results, Run
from loadtests.load.lean import Address
from loadtests.load.window import VARIABLE
from loadtests.studies import Budget, Load, Service

Window = dict[str, Any]

LOCUST = [sys.executable, "-m", "locust", "--loglevel", "ERROR", "-f", str(Path(__file__).parents[1] / "locustfile.py")]
# Locust's own: what a worker on another machine connects to.
MASTER_PORT = 5557

# As many clients as the server has threads: one more, and waitress would queue and warn.
THREADS = 4
# An open loop has more, so that a request rarely waits in the generator; fewer than a server's limit for one client.
CONNECTIONS = 16
START_SECONDS = 1.2
GENERATOR_START = {"locust": 0.9, "lean": 0.3}
CALIBRATION = {"warm_up": 0.1, "seconds": 0.4}
# Differ from answer to answer, and from server to server.
VOLATILE = frozenset({"date", "server", "server-timing", "x-request-id", "x-response-time-ms"})


class Server(NamedTuple):
    """A running server."""

    service: Service
    address: Address
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.address.port


class Spread(NamedTuple):
    """How Locust's load is spread: over ``workers`` processes of a master, started here or, if ``remote``, elsewhere.

    ``host`` is the address at which the servers listen: one that the other machines can reach.
    """

    workers: int = 0
    remote: bool = False
    host: str = "127.0.0.1"


class Entries(NamedTuple):
    """Where the measurements of one load stand in the result file."""

    saturation: LoadResult
    rate: LoadResult | None
    latency: LatencyResult | None


def new_entries(load: Load, spread: Spread) -> Entries:
    """Empty entries for ``load``."""
    services = [service.name for service in load.services]
    about: Window = {"title": load.title, "services": services, "server": load.server}
    about |= {"server_threads": THREADS, "users": THREADS}
    loaded = {**about, "generator": load.generator, "generator_processes": max(1, spread.workers)}
    rate = LoadResult(key=f"{load.key}_rate", mode="rate", **loaded) if load.shares else None
    shares = list(load.shares)
    latency = LatencyResult(key=f"{load.key}_latency", connections=CONNECTIONS, shares=shares, **about)
    return Entries(LoadResult(key=load.key, **loaded), rate, latency if load.latencies else None)


def find_entries(load: Load, results: Results) -> Entries:
    """The entries of ``load`` in a result file that has them."""
    loads = {one.key: one for one in results.loads}
    latencies = {one.key: one for one in results.latencies}
    return Entries(loads[load.key], loads.get(f"{load.key}_rate"), latencies.get(f"{load.key}_latency"))


def planned_seconds(load: Load, budget: Budget) -> float:
    """How long one pair (all windows for each service) takes, in seconds."""
    rates = budget.rate_seconds + budget.load_warm_up
    window = GENERATOR_START[load.generator] + budget.load_warm_up + budget.load_seconds + len(load.shares) * rates
    if load.latencies:
        window += GENERATOR_START["lean"] + len(load.shares) * rates
    return START_SECONDS + len(load.services) * (0.3 + window)


@contextlib.contextmanager
def serving(services: Sequence[Service], host: str = "127.0.0.1") -> Iterator[list[Server]]:
    """Start the services, each on a free port, wait until all answer, and stop them at the end."""
    servers: list[Server] = []
    try:
        servers.extend(_start(service, host) for service in services)
        for server in servers:
            _wait(server)
        yield servers
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            _end(server.process)


def _start(service: Service, host: str) -> Server:
    address = Address(host, free_port(host))
    arguments = [part.format(host=host, port=address.port, threads=THREADS) for part in service.arguments]
    # The access log goes nowhere, for every service alike.
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Server(service, address, process)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _wait(server: Server, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if server.process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(server.address, timeout=1):
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
    """Ask every server about the same rows; raises ``Mismatch`` at the first difference beyond what is allowed."""
    exchanges = for_case("predict", rows)
    asks: dict[str, Ask] = {server.service.name: partial(ask, server.address) for server in servers}
    allowed = {
        server.service.name: Allowed(server.service.own_headers, server.service.own_fields) for server in servers
    }
    try:
        compare_answers(asks, exchanges, allowed)
    except WrongAnswer as error:
        raise Mismatch(str(error)) from error


def ask(address: Address, exchange: Exchange) -> Answer:
    """One answer over HTTP, with the headers that compare."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(exchange.method, exchange.path, exchange.body, headers)
        response = connection.getresponse()
        found = sorted((n.lower(), v) for n, v in response.getheaders() if n.lower() not in VOLATILE)
        return Answer(f"{response.status} {response.reason}", found, response.read())
    finally:
        connection.close()


class Series(NamedTuple):
    """The windows of one service: with as many requests as it takes, at the moderate rate, and at each rate."""

    saturation: Run
    moderate: Run
    latencies: list[LatencyRun]


class Pair:
    """New servers for the services of a load, and one series of windows for each."""

    def __init__(self, load: Load, entries: Entries, rows: Sequence[Row], budget: Budget, spread: Spread) -> None:
        self.load, self.entries, self.rows, self.budget, self.spread = load, entries, rows, budget, spread

    def measure(self, number: int) -> None:
        """Compare, then load each: in the load's order for even numbers, backwards for odd ones."""
        with serving(self.load.services, self.spread.host) as servers:
            compare(servers, self.rows[:20])
            rates = self._rates(servers)
            order = servers if number % 2 == 0 else servers[::-1]
            measured = [self._serve(server, rates, number, place) for place, server in enumerate(order)]
        # All or nothing: a pair that was interrupted leaves no half of itself.
        for one in measured:
            self._keep(one)

    def _keep(self, one: Series) -> None:
        self.entries.saturation.runs.append(one.saturation)
        if self.entries.rate:
            self.entries.rate.runs.append(one.moderate)
        if self.entries.latency:
            self.entries.latency.runs += one.latencies

    def _rates(self, servers: Sequence[Server]) -> list[float]:
        """Requests a second for each share: the same ones in all pairs, found before the first."""
        rate, latency = self.entries.rate, self.entries.latency
        if rate and not rate.rate:
            slowest = min(self._capacity(server) for server in servers)
            rates = [round(share * slowest, 1) for share in self.load.shares]
            rate.rate = rates[0]
            if latency:
                latency.rates = rates
        return latency.rates if latency else [rate.rate] if rate else []

    def _capacity(self, server: Server) -> float:
        found = _lean(server, self.rows, CALIBRATION)
        return float(found["requests"] / found["seconds"])

    def _serve(self, server: Server, rates: list[float], number: int, place: int) -> Series:
        about: Window = {"service": server.service.name, "pair": number, "position": place}
        stages = [self._stage(rate, self.budget.rate_seconds) for rate in rates]
        stages.append(self._stage(0.0, self.budget.load_seconds))
        if self.load.generator == "locust":
            windows = _locust(server, self.rows, stages, self.spread)
        else:
            windows = [_lean(server, self.rows, stage) for stage in stages]
        opened = _open_loop(server, self.rows, stages[:-1], seed=number) if self.entries.latency else []
        closed = zip(rates, windows, strict=False)
        return Series(
            saturation=_checked(Run(**about, **windows[-1])),
            moderate=_checked(Run(**about, **windows[0])),
            latencies=[
                *(_checked(LatencyRun(**about, **window, generator="locust", rate=rate)) for rate, window in closed),
                *(
                    _checked(LatencyRun(**about, **window, generator="open loop", rate=rate))
                    for rate, window in zip(rates, opened, strict=False)
                ),
            ],
        )

    def _stage(self, rate: float, seconds: float) -> Window:
        return {"rate": rate, "warm_up": self.budget.load_warm_up, "seconds": seconds}


def measure_pair(load: Load, rows: Sequence[Row], budget: Budget, pair: int) -> list[Run]:
    """One pair of a load by itself: a run with as many requests as it takes for each service."""
    entries = new_entries(load, Spread())
    Pair(load, entries, rows, budget, Spread()).measure(pair)
    return entries.saturation.runs


AnyRun = TypeVar("AnyRun", bound=Run)


def _checked(run: AnyRun) -> AnyRun:
    if run.failures or not run.requests:
        text = f"{run.service}: {run.failures} of {run.requests} requests failed; a run with failures has no value"
        raise RunFailed(text, 5)
    return run


def _locust(server: Server, rows: Sequence[Row], stages: list[Window], spread: Spread) -> list[Window]:
    """Locust without its web page, on the locustfile that also works alone: one window for each stage."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as workers:
        out, given = Path(folder, "windows.json"), Path(folder, "rows.json")
        given.write_text(json.dumps(rows), encoding="utf-8")
        wanted = {"stages": stages, "server_pid": server.process.pid, "out": str(out), "rows": str(given)}
        wanted |= {"users": THREADS, "generators": max(1, spread.workers)}
        environ = {**os.environ, VARIABLE: json.dumps(wanted)}
        arguments = ["--host", f"http://{server.address.host}:{server.address.port}", "--headless", "--only-summary"]
        arguments += ["-u", str(THREADS), "-r", "100"]
        if spread.workers:
            port = MASTER_PORT if spread.remote else free_port()
            arguments += ["--master", "--master-bind-port", str(port), "--expect-workers", str(spread.workers)]
            for _ in range(0 if spread.remote else spread.workers):
                workers.enter_context(_locust_worker(port, environ))
        log = _run([*LOCUST, *arguments], b"", environ)
        if not out.exists():
            raise RunFailed(f"Locust measured nothing:\n{log}", 5)
        measured: list[Window] = json.loads(out.read_text(encoding="utf-8"))
        return measured


@contextlib.contextmanager
def _locust_worker(port: int, environ: dict[str, str]) -> Iterator[None]:
    """One worker process of the master on this machine; it ends with its master."""
    command = [*LOCUST, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    try:
        yield
    finally:
        process.terminate()
        _end(process)


def _lean(server: Server, rows: Sequence[Row], window: Window) -> Window:
    """The lean generator, in a process of its own."""
    measured: Window = json.loads(_generate("loadtests.load.lean", server, rows, {**window, "users": THREADS}))
    return measured


def _open_loop(server: Server, rows: Sequence[Row], stages: list[Window], seed: int) -> list[Window]:
    """The open loop, in a process of its own: one window for each stage."""
    orders = {"stages": stages, "connections": CONNECTIONS, "seed": seed}
    measured: list[Window] = json.loads(_generate("loadtests.load.openloop", server, rows, orders))
    return measured


def _generate(module: str, server: Server, rows: Sequence[Row], orders: dict[str, Any]) -> str:
    orders = {
        **orders,
        "server_pid": server.process.pid,
        "host": server.address.host,
        "port": server.address.port,
        "bodies": [json.dumps(row) for row in rows],
    }
    return _run([sys.executable, "-m", module], json.dumps(orders).encode(), dict(os.environ))


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
