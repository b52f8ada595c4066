"""Servers that are killed at random instants under load lose no accepted delivery and record none twice."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.cases import but
from tests.processes import ROOT, Server
from wsgi_core.shared.jobs import JobStore, open_store
from wsgi_core.shared.webhooks import sign

SECRET = "0123456789abcdef"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the one model that webhooks need, so that a server starts quickly."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / "churn", folder / "churn")
    return folder


def serve(models: Path, results: Path, store: str, port: int | str = 0) -> Server:
    options = {"--models": models, "--port": port, "--webhook-results": results, "--job-store": store}
    return Server(
        "-m", "wsgi_core", "serve", *(str(part) for pair in options.items() for part in pair),
        WSGI_CORE_WEBHOOK_SECRETS=f"crm={SECRET}",
    )  # fmt: skip


class Victim:
    """A server that is killed again and again, and started again at another port."""

    def __init__(self, start: Callable[[], Server]) -> None:
        self._start = start
        self.server = start().ready()
        self.kills = 0

    def kill(self) -> None:
        """End the process as a power switch would, in the middle of whatever it does."""
        self.server.process.kill()
        self.server.stop()
        self.kills += 1
        self.server = self._start().ready()


def deliver(victims: Sequence[Victim], numbers: Sequence[int], statuses: Counter[str]) -> None:
    """Send each delivery until one of the servers accepts it, as every sender of webhooks does."""
    for number in numbers:
        body = json.dumps({**but(tenure_months=number % 100), "number": number}).encode()
        headers = {"X-Hub-Signature-256": sign(SECRET.encode(), body), "X-Delivery-ID": f"{number}"}
        until = time.monotonic() + 120
        while True:
            assert time.monotonic() < until, "never accepted"
            host, port = random.choice(victims).server.address
            connection = http.client.HTTPConnection(host, port, timeout=10)
            try:
                connection.request("POST", "/webhooks/crm", body, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            finally:
                connection.close()
            if response.status == 202:
                statuses[answer["status"]] += 1
                break
            assert response.status == 503, answer
            time.sleep(0.05)


def press(victims: Sequence[Victim], deliveries: int, kills: int, dice: random.Random) -> Counter[str]:
    """Deliver from four threads while servers are killed at random instants; return how they were answered."""
    statuses: Counter[str] = Counter()
    senders = [
        threading.Thread(target=deliver, args=(victims, range(first, deliveries, 4), statuses)) for first in range(4)
    ]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders) or sum(victim.kills for victim in victims) < kills:
        time.sleep(dice.uniform(0, 1.5))
        if sum(victim.kills for victim in victims) < kills:
            dice.choice(victims).kill()
    for sender in senders:
        sender.join()
    return statuses


def wait_until_done(store: JobStore, seconds: float) -> None:
    until = time.monotonic() + seconds
    while store.states() and time.monotonic() < until:
        time.sleep(0.1)
    assert store.states() == {}
    assert store.dead() == {}


def recorded(*files: Path) -> list[str]:
    return [json.loads(line)["delivery"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.long
def test_a_server_that_is_killed_loses_no_delivery_and_records_none_twice(models: Path, tmp_path: Path):
    deliveries, results, place = 1000, tmp_path / "results.jsonl", str(tmp_path / "jobs")
    victim = Victim(lambda: serve(models, results, place))
    try:
        press([victim], deliveries, 15, random.Random(14))
        wait_until_done(open_store(place), 60)
    finally:
        victim.server.stop()
    found = recorded(results)
    assert len(found) == len(set(found)), [name for name, count in Counter(found).items() if count > 1]
    assert set(found) == {str(number) for number in range(deliveries)}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the test's own, which keeps an append-only file."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here (Debian: redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "always"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize(("deliveries", "kills"), [(100, 1), pytest.param(1000, 10, marks=pytest.mark.long)])
def test_two_servers_on_one_redis_record_each_delivery_once(
    models: Path, tmp_path: Path, redis: str, deliveries: int, kills: int
):
    """Each server has a file of results of its own, as on two machines; each is killed and started again."""
    place = f"{redis[:-1]}{1 if deliveries > 100 else 0}"
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    with ExitStack() as stack:
        victims = [Victim(lambda file=file: serve(models, file, place)) for file in files]  # type: ignore[misc]
        for victim in victims:
            stack.callback(lambda victim=victim: victim.server.stop())
        press(victims, deliveries, kills, random.Random(15))
        wait_until_done(open_store(place), 100)
    found = recorded(*files)
    assert len(found) == len(set(found)), [name for name, count in Counter(found).items() if count > 1]
    assert set(found) == {str(number) for number in range(deliveries)}
    assert all(recorded(file) for file in files), "both servers have done some"
