"""Load a server to half its capacity for a long time, and check that the process does not grow.

``python -m tests.pressure.soak [--minutes 60]``. The clients request the service's routes, and reload a model now and
then. About one request in four is invalid. Each response is compared with the first response to the same request,
unless responses to the request always differ.

The exit code is 1 if a response was wrong, if the log has a traceback, or if the process grew after the first sixth of
the time: in memory (by more than 2 %, or 5 % in a run of less than ten minutes, because the allocator needs time to
reach its final size), in open files (by more than one for each client), or in threads (by more than one in such a run).
"""

from __future__ import annotations

import json
import random
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from http.client import HTTPException, HTTPResponse
from itertools import pairwise

import click
import psutil

from loadtests.load.closed_loop import Address
from tests.pressure.overload import ROW
from tests.pressure.under_test import ServerUnderTest, running, serve_command

CLIENTS = 4
# Values that differ between responses: ids and times.
_VOLATILE = re.compile(rb'"(timestamp|generated_at|id|event_id|[\w]*_ms)":("[^"]*"|[\d.]+)|\d+\.\d+ ms')


@dataclass(frozen=True)
class Case:
    """A request, the status code it must get, and whether its response is the same each time."""

    name: str
    status: int
    message: bytes
    same: bool = True


def get(path: str, *, status: int = 200, same: bool = True) -> Case:
    return Case(f"GET {path}", status, f"GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n".encode(), same)


def post(path: str, payload: object, *, status: int = 200, same: bool = True, kind: str = "application/json") -> Case:
    """Return a POST. A `payload` of bytes is sent unchanged, anything else as JSON."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Case(f"POST {path} {status} {body[:20]!r}", status, head.encode() + body, same)


LOAN = {"age": 35, "income": 24000, "credit_score": 700, "employment_years": 5, "loan_amount": 1000}
TENSOR = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}

VALID = [
    post("/predict", ROW),
    post("/predict", [ROW] * 100),
    post("/predict", {"instances": [ROW] * 10}),
    post("/api/v1/predict", LOAN),
    post("/sentiment", {"text": "what a wonderful film"}),
    post("/predict/stream", (json.dumps(ROW) + "\n").encode() * 500, kind="application/x-ndjson"),
    post("/v2/models/identity/infer", TENSOR),
    post("/v2/repository/index", {}),
    post("/v2/repository/models/churn/load", {}),
    post("/rag-chat", {"query": "How does the server stop?"}, same=False),
    get("/async-data", same=False),
    get("/metrics", same=False),
    get("/v2/models/stats", same=False),
    *map(
        get, ("/", "/healthz", "/readyz", "/demo/digits", "/demo/churn", "/docs", "/openapi.json", "/v2/models/churn")
    ),
]
INVALID = [
    post("/predict", b"{", status=400),
    post("/predict", b"[" * 100_000, status=400),
    post("/predict", {**ROW, "tenure_months": "many"}, status=422),
    post("/predict", b"x" * (4 << 20), status=400),
    post("/sentiment", b"\xff\xfe", status=400),
    post("/v2/models/none/infer", TENSOR, status=404),
    post("/v2/models/identity/infer", {"inputs": []}, status=400),
    post("/digits", {"pixels": []}, status=400),
    post("/webhooks/unknown", {}, status=404),
    get("/nowhere", status=404),
    Case("too large", 413, b"POST /predict HTTP/1.1\r\nHost: soak\r\nContent-Length: 99999999\r\n\r\n"),
    Case("no request", 400, b"hello\r\n\r\n"),
    Case("smuggling", 400, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case("many headers", 431, b"GET / HTTP/1.1\r\nHost: soak\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
]


@dataclass
class Outcome:
    """The results of one soak. Memory is in MiB: the medians of the second and of the last sixth of the time."""

    seconds: float
    answers: int = 0
    rate: float = 0.0
    wrong: list[str] = field(default_factory=list)
    memory: tuple[float, float] = (0.0, 0.0)
    files: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Add each failed check to `problems`."""
        share = 1.02 if self.seconds >= 600 else 1.05
        if self.wrong:
            self.problems.append(f"{len(self.wrong)} wrong responses or tracebacks")
        if self.memory[1] > share * self.memory[0]:
            self.problems.append("the memory grew")
        # A client's connection is an open file of the server, and may be closed at the moment of a sample.
        if self.files[1] > self.files[0] + CLIENTS:
            self.problems.append("open files grew")
        # In a short run on a busy machine, a request with its own thread may run at each sample.
        if self.threads[1] > self.threads[0] + (0 if self.seconds >= 600 else 1):
            self.problems.append("threads grew")


class Client:
    """A client that sends one request at a time, and keeps its connection until the server closes it."""

    def __init__(self, address: Address, first: dict[str, bytes], outcome: Outcome) -> None:
        self.address = address
        self.first = first
        self.outcome = outcome
        self._connection: socket.socket | None = None

    def send(self, case: Case) -> None:
        """Send the request, and record the response if it is wrong."""
        try:
            status, body = self._exchange(case.message)
        except (OSError, HTTPException) as error:
            self.outcome.wrong.append(f"{case.name}: {error!r}")
            self.close()
            return
        self.outcome.answers += 1
        body = _VOLATILE.sub(b"", body)
        expected = self.first.setdefault(case.name, body) if case.same else body
        if status != case.status or body != expected:
            self.outcome.wrong.append(f"{case.name}: {status} {body[:200]!r}")

    def _exchange(self, message: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = socket.create_connection(self.address, timeout=30)
        self._connection.sendall(message)
        with HTTPResponse(self._connection) as response:
            response.begin()
            body = response.read()
            if response.will_close:
                self.close()
            return response.status, body

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def find_rate(address: Address, seconds: float) -> float:
    """Return how many requests of the mix a single client completes in a second, sent without a pause.

    The responses are not checked.
    """
    outcome, rng = Outcome(seconds), random.Random(1)
    client = Client(address, {}, outcome)
    for case in (*VALID, *INVALID):  # so that work that the server does only once is not measured
        client.send(case)
    outcome.answers = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        client.send(choose(rng))
    client.close()
    return outcome.answers / (time.perf_counter() - began)


def choose(rng: random.Random) -> Case:
    return rng.choice(INVALID) if rng.random() < 0.25 else rng.choice(VALID)


def keep_sending(client: Client, rate: float, until: float, rng: random.Random) -> None:
    """Send random requests, at most `rate` a second, until `until` (in seconds of `perf_counter`)."""
    due = time.perf_counter()
    while (now := time.perf_counter()) < until:
        due = max(due + 1 / rate, now)
        client.send(choose(rng))
        time.sleep(max(0.0, due - time.perf_counter()))
    client.close()


def watch(process: psutil.Process, until: float) -> list[tuple[float, int, int]]:
    """Return memory in MiB, open files and threads, sampled twice a second."""
    seen = []
    while time.perf_counter() < until:
        files = process.num_handles() if sys.platform == "win32" else process.num_fds()
        seen.append((process.memory_info().rss / 2**20, files, process.num_threads()))
        time.sleep(0.5)
    return seen


def soak(server: ServerUnderTest, seconds: float) -> Outcome:
    """Put the server under load for `seconds`, watch its process, and return the results."""
    outcome = Outcome(seconds)
    outcome.rate = find_rate(server.address, min(5.0, seconds / 6)) / 2
    until = time.perf_counter() + seconds
    first: dict[str, bytes] = {}
    threads = [
        threading.Thread(
            target=keep_sending,
            args=(Client(server.address, first, outcome), outcome.rate / CLIENTS, until, random.Random(number)),
        )
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    summarize(outcome, watch(psutil.Process(server.process.pid), until))
    for thread in threads:
        thread.join()
    outcome.wrong += [line for line in server.lines if "Traceback" in line]
    outcome.judge()
    return outcome


def summarize(outcome: Outcome, seen: list[tuple[float, int, int]]) -> None:
    """Store the figures of the second and the last sixth of the time: median memory, minimum files and threads.

    Some requests need more files or threads while they run, so these numbers vary. Only a leak raises the minimum.
    """
    sixths = [seen[start:end] for start, end in pairwise(range(0, len(seen) + 1, max(1, len(seen) // 6)))]
    early, late = sixths[1], sixths[-1]
    early_memory, late_memory = (round(statistics.median(one[0] for one in part), 1) for part in (early, late))
    outcome.memory = early_memory, late_memory
    outcome.files = min(one[1] for one in early), min(one[1] for one in late)
    outcome.threads = min(one[2] for one in early), min(one[2] for one in late)


@click.command()
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--framework", default="wsgi_core", show_default=True)
def main(minutes: float, framework: str) -> None:
    """Load a server to half its capacity, and check that its process does not grow."""
    # An empty cache folder, without MiniLM, so that every run loads the same models.
    with (
        tempfile.TemporaryDirectory() as empty,
        running(*serve_command(framework=framework), "--model-control", WSGI_CORE_CACHE=empty) as server,
    ):
        outcome = soak(server, minutes * 60)
    outcome.wrong = outcome.wrong[:20]
    click.echo(json.dumps(asdict(outcome), indent=2))
    sys.exit(1 if outcome.problems else 0)


if __name__ == "__main__":
    main()
