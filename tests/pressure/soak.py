"""Ask everything of the server at half its capacity for a long time, and see whether the process stays as it was.

``python -m tests.pressure.soak [--minutes 60]``. Every route is asked, models are loaded again while they serve, and
one request in four is a bad one. Each response is compared with the first of its kind. Exit code 1 for a wrong
response, a traceback in the log, or a process that grew: in memory (2 % after the first sixth; 5 % in a
run under ten minutes, in which the allocator has not settled), in open files, or in threads.
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
# What differs from one answer to the next: ids, times, counts.
_VOLATILE = re.compile(rb'"(timestamp|generated_at|id|event_id|[\w]*_ms)":("[^"]*"|[\d.]+)|\d+\.\d+ ms')


@dataclass(frozen=True)
class Ask:
    """A request, the status that it must get, and whether the body is the same each time."""

    name: str
    status: int
    message: bytes
    same: bool = True


def get(path: str, *, status: int = 200, same: bool = True) -> Ask:
    return Ask(f"GET {path}", status, f"GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n".encode(), same)


def post(path: str, payload: object, *, status: int = 200, same: bool = True, kind: str = "application/json") -> Ask:
    """Bytes are sent as they are, anything else as JSON."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Ask(f"POST {path} {status} {body[:20]!r}", status, head.encode() + body, same)


LOAN = {"age": 35, "income": 24000, "credit_score": 700, "employment_years": 5, "loan_amount": 1000}
TENSOR = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}

GOOD = [
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
BAD = [
    post("/predict", b"{", status=400),
    post("/predict", b"[" * 100_000, status=400),
    post("/predict", {**ROW, "tenure_months": "many"}, status=422),
    post("/predict", b"x" * (4 << 20), status=400),
    post("/sentiment", b"\xff\xfe", status=400),
    post("/v2/models/none/infer", TENSOR, status=404),
    post("/v2/models/identity/infer", {"inputs": []}, status=400),
    post("/digits", {"pixels": []}, status=400),
    post("/webhooks/nobody", {}, status=404),
    get("/nowhere", status=404),
    Ask("too large", 413, b"POST /predict HTTP/1.1\r\nHost: soak\r\nContent-Length: 99999999\r\n\r\n"),
    Ask("no request", 400, b"hello\r\n\r\n"),
    Ask("smuggling", 400, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Ask("many headers", 431, b"GET / HTTP/1.1\r\nHost: soak\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
]


@dataclass
class Outcome:
    """What was seen. Memory in MiB: medians of the second and the last sixth of the time."""

    seconds: float
    answers: int = 0
    rate: float = 0.0
    wrong: list[str] = field(default_factory=list)
    memory: tuple[float, float] = (0.0, 0.0)
    files: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Write down what does not hold."""
        share = 1.02 if self.seconds >= 600 else 1.05
        if self.wrong:
            self.problems.append(f"{len(self.wrong)} wrong answers or tracebacks")
        if self.memory[1] > share * self.memory[0]:
            self.problems.append("the memory grew")
        # Each client's connection is one of them, and is now and then closed for a moment.
        if self.files[1] > self.files[0] + CLIENTS:
            self.problems.append("open files grew")
        if self.threads[1] > self.threads[0]:
            self.problems.append("threads grew")


class Client:
    """Asks one thing after the other on a connection that it keeps as long as the server does."""

    def __init__(self, address: Address, first: dict[str, bytes], outcome: Outcome) -> None:
        self.address = address
        self.first = first
        self.outcome = outcome
        self._connection: socket.socket | None = None

    def ask(self, what: Ask) -> None:
        """Ask, and write down an answer that is wrong."""
        try:
            status, body = self._exchange(what.message)
        except (OSError, HTTPException) as error:
            self.outcome.wrong.append(f"{what.name}: {error!r}")
            self.close()
            return
        self.outcome.answers += 1
        body = _VOLATILE.sub(b"", body)
        expected = self.first.setdefault(what.name, body) if what.same else body
        if status != what.status or body != expected:
            self.outcome.wrong.append(f"{what.name}: {status} {body[:200]!r}")

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
    """How many requests of the mix a second one client gets through, without a pause; the answers go unjudged."""
    outcome, dice = Outcome(seconds), random.Random(1)
    client = Client(address, {}, outcome)
    for one in (*GOOD, *BAD):  # what is made at the first request is made now
        client.ask(one)
    outcome.answers = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        client.ask(choose(dice))
    client.close()
    return outcome.answers / (time.perf_counter() - began)


def choose(dice: random.Random) -> Ask:
    return dice.choice(BAD) if dice.random() < 0.25 else dice.choice(GOOD)


def keep_asking(client: Client, rate: float, until: float, dice: random.Random) -> None:
    """Ask for this and that at ``rate`` a second, as well as it goes, until a time of perf_counter."""
    due = time.perf_counter()
    while (now := time.perf_counter()) < until:
        due = max(due + 1 / rate, now)
        client.ask(choose(dice))
        time.sleep(max(0.0, due - time.perf_counter()))
    client.close()


def watch(process: psutil.Process, until: float) -> list[tuple[float, int, int]]:
    """Memory in MiB, open files and threads, twice a second."""
    seen = []
    while time.perf_counter() < until:
        files = process.num_handles() if sys.platform == "win32" else process.num_fds()
        seen.append((process.memory_info().rss / 2**20, files, process.num_threads()))
        time.sleep(0.5)
    return seen


def soak(server: ServerUnderTest, seconds: float) -> Outcome:
    """Ask for so long, and look at the process."""
    outcome = Outcome(seconds)
    outcome.rate = find_rate(server.address, min(5.0, seconds / 6)) / 2
    until = time.perf_counter() + seconds
    first: dict[str, bytes] = {}
    threads = [
        threading.Thread(
            target=keep_asking,
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
    """Compare the second sixth of the time with the last: memory by its median.

    Files and threads by the fewest there were: some requests need more while they last, a leak needs them for ever.
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
    """Keep a server at half its capacity, and see whether it stays as it was."""
    # Without MiniLM, even where it was built: what comes with the project is the same everywhere.
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
