"""An accepted job is processed at least once and recorded once, even if a server is killed. Failures are retried."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conformance.cases import but
from tests.processes import Server, free_ports, run
from tests.shared.jobs.stored import job
from wsgi_core.inference import default_models_dir
from wsgi_core.shared.jobs import JobQueue, JobStore, QueueFull, ResultsFile, open_store, queue, store
from wsgi_core.shared.jobs.store import DELAYED, QUEUED, RUNNING, Job, State
from wsgi_core.shared.webhooks import sign


@pytest.fixture
def start(jobs: JobStore) -> Iterator[Callable[..., JobQueue]]:
    """Start a queue on the store of the test; it is closed when the test ends."""
    started = []

    def begin(work: Any, results: ResultsFile | None = None, size: int = 100) -> JobQueue:
        started.append(JobQueue(jobs, work, results, size))
        started[-1].start()
        return started[-1]

    yield begin
    for made in started:
        made.close(5)


class Gate:
    """Work that waits until the gate is open, and records the processed jobs."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.done: list[str] = []

    def __call__(self, job: Job) -> dict[str, Any]:
        self.begun.set()
        assert self.open.wait(10)
        self.done.append(job.id)
        return {"number": job.id}


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_accepted_job_is_done_in_order_and_before_the_queue_is_closed(start: Callable[..., JobQueue]):
    gate = Gate()
    made = start(gate)
    assert all(made.accept(job(number)) for number in range(50))
    assert not made.drain(0.01)
    gate.open.set()
    assert made.close(10)
    assert gate.done == [f"{number}" for number in range(50)]


def test_a_job_beyond_the_size_is_refused_and_accepted_later(start: Callable[..., JobQueue]):
    gate = Gate()
    made = start(gate, size=2)
    assert made.accept(job(0))
    assert made.accept(job(1))
    with pytest.raises(QueueFull):
        made.accept(job(2))
    assert not made.accept(job(1)), "a duplicate needs no slot"
    gate.open.set()
    assert made.drain(10)
    assert made.accept(job(2))
    assert made.close(10)
    assert gate.done == ["0", "1", "2"]


def test_a_duplicate_is_done_once_also_after_a_restart(jobs: JobStore, start: Callable[..., JobQueue]):
    gate = Gate()
    gate.open.set()
    made = start(gate)
    assert [made.accept(job(1)), made.accept(job(1)), made.accept(job(1, "other"))] == [True, False, True]
    assert made.close(10)
    again = start(gate)
    assert not again.accept(job(1))
    assert again.close(10)
    assert gate.done == ["1", "1"]


def test_a_closed_queue_accepts_nothing(start: Callable[..., JobQueue]):
    made = start(Gate())
    assert made.close(1)
    with pytest.raises(QueueFull):
        made.accept(job(1))


def test_what_is_left_at_the_end_is_done_after_the_next_start(
    jobs: JobStore, start: Callable[..., JobQueue], caplog: pytest.LogCaptureFixture
):
    made = JobQueue(jobs, Gate(), None, 10)  # never started, as in a process that is killed at once
    assert jobs.add(job(1))
    assert jobs.add(job(2))
    gate = Gate()
    gate.open.set()
    assert start(gate).drain(10)
    assert gate.done == ["1", "2"]
    assert made.close(0)


def test_a_failing_job_stops_no_other_and_is_retried_until_it_succeeds(
    start: Callable[..., JobQueue], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(queue, "MAX_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.01)
    tries: list[str] = []

    def work(job: Job) -> dict[str, Any]:
        tries.append(job.id)
        if job.id == "1" and tries.count("1") < 3:
            raise RuntimeError("broken")
        return {"id": job.id}

    made = start(work, ResultsFile(tmp_path / "results"))
    for number in (1, 2):
        made.accept(job(number))
    wait_for(lambda: not made.store.states())
    assert sorted(tries) == ["1", "1", "1", "2"]
    assert sorted(line["id"] for line in lines(tmp_path / "results")) == ["1", "2"]


def test_a_job_that_always_fails_is_a_dead_letter_until_it_is_revived(
    start: Callable[..., JobQueue], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "MAX_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.01)
    broken = True
    tries: list[str] = []

    def work(job: Job) -> dict[str, Any]:
        tries.append(job.id)
        if broken:
            raise RuntimeError("no such table")
        return {}

    made = start(work)
    made.accept(job(1))
    wait_for(made.store.dead)
    assert len(tries) == queue.MAX_ATTEMPTS
    assert made.store.dead()["crm-1"].error == "RuntimeError: no such table"
    assert made.store.count_unfinished() == 0, "a dead letter takes no slot"
    assert not made.accept(job(1)), "a dead letter is known"
    broken = False
    assert made.store.requeue("crm-1")
    wait_for(lambda: not made.store.states() and not made.store.dead())
    assert len(tries) == queue.MAX_ATTEMPTS + 1
    assert not made.store.requeue("crm-1")


def test_the_lease_of_a_long_job_is_renewed(start: Callable[..., JobQueue], monkeypatch: pytest.MonkeyPatch):
    now = time.time()
    monkeypatch.setattr(store, "time", SimpleNamespace(time=lambda: now, gmtime=time.gmtime))
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.01)
    gate = Gate()
    first, second = start(gate), start(gate)
    first.accept(job(1))
    assert gate.begun.wait(10)
    for _ in range(9):
        now += store.LEASE_SECONDS / 3
        due = now + store.LEASE_SECONDS
        wait_for(lambda due=due: first.store.states()["crm-1"].due == due)
    assert first.store.states()["crm-1"].phase == RUNNING
    gate.open.set()
    assert first.drain(10)
    assert second.close(5)
    assert gate.done == ["1"]


def test_a_second_worker_that_takes_an_expired_job_records_it_no_second_time(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two workers process the same job at the same time, as if the machine of the first had paused for a long time."""
    monkeypatch.setattr(store, "LEASE_SECONDS", 0.0)
    results = ResultsFile(tmp_path / "results")
    both = threading.Barrier(2, timeout=10)

    def work(job: Job) -> dict[str, Any]:
        both.wait()
        return {"id": job.id}

    jobs.add(job(1))
    taken = []
    for _ in range(2):
        taken.append(jobs.take(9))
        jobs.requeue_due()
    workers = [
        threading.Thread(target=JobQueue(jobs, work, results, 10)._attempt, args=found) for found in taken if found
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert len(workers) == 2
    assert [line["id"] for line in lines(tmp_path / "results")] == ["1"]


def test_a_process_that_pauses_after_its_mark_records_no_second_line(jobs: JobStore, tmp_path: Path):
    """Another process of the same server takes the job in the pause, and finishes it."""
    results = ResultsFile(tmp_path / "results")
    first, second = (JobQueue(jobs, lambda job: {"id": job.id}, results, 10) for _ in range(2))
    jobs.add(job(1))
    taken = jobs.take(9)
    assert taken is not None
    mark = jobs.mark_done

    def mark_and_pause(*arguments: Any) -> str | None:
        marked = mark(*arguments)
        jobs.mark_done = mark  # type: ignore[method-assign]
        second._attempt(*taken)
        return marked

    jobs.mark_done = mark_and_pause  # type: ignore[method-assign]
    first._attempt(*taken)
    assert [line["id"] for line in lines(tmp_path / "results")] == ["1"]


def test_a_retried_dead_letter_whose_line_is_there_is_not_recorded_again(jobs: JobStore, tmp_path: Path):
    results = ResultsFile(tmp_path / "results")
    made = JobQueue(jobs, lambda job: {"id": job.id}, results, 10)
    jobs.add(job(1))
    taken = jobs.take(9)
    assert taken is not None
    jobs.mark_done(taken[0], results.recorder)
    results.append("crm-1", {"id": "1"}, 0)
    jobs.bury("crm-1", taken[1], "the process was killed")
    assert jobs.requeue("crm-1")
    taken = jobs.take(9)
    assert taken is not None
    made._attempt(*taken)
    assert jobs.states() == {}
    assert [line["id"] for line in lines(tmp_path / "results")] == ["1"]


def test_a_stop_does_not_wait_for_the_jobs_of_another_recorder(jobs: JobStore, tmp_path: Path):
    jobs.add(job(1))
    jobs.set_state("crm-1", State(QUEUED, time.time() + 60, recorder="gone:/results"))
    assert JobQueue(jobs, lambda job: {}, ResultsFile(tmp_path / "results"), 10).drain(0.1)


def test_another_machine_never_records_what_the_first_may_have_recorded(jobs: JobStore, tmp_path: Path):
    jobs.add(job(1))
    stored = jobs.job("crm-1")
    assert stored is not None
    assert jobs.mark_done(stored, "first machine") is None
    made = JobQueue(jobs, lambda job: {"id": job.id}, ResultsFile(tmp_path / "results"), 10)
    taken = jobs.take(9)
    assert taken is not None
    made._attempt(*taken)
    assert not (tmp_path / "results").exists()
    assert jobs.states()["crm-1"].phase == DELAYED
    assert "first machine" in jobs.states()["crm-1"].error


def test_a_job_that_a_killed_machine_had_marked_is_recorded_by_that_machine(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The other machine is alive all the time, and takes the job first."""
    monkeypatch.setattr(store, "LEASE_SECONDS", 0.3)
    first, second = ResultsFile(tmp_path / "first"), ResultsFile(tmp_path / "second")
    for number in range(5):
        jobs.add(job(number))
        stored = jobs.job(f"crm-{number}")
        assert stored is not None
        assert jobs.mark_done(stored, first.recorder) is None
    queues = [JobQueue(jobs, lambda job: {"id": job.id}, results, 10) for results in (second, first)]
    queues[0].start()
    wait_for(lambda: {state.recorder for state in jobs.states().values()} == {first.recorder})
    queues[1].start()
    wait_for(lambda: not jobs.states(), 20)
    for made in queues:
        assert made.close(5)
    assert not second.path.exists()
    assert sorted(line["id"] for line in lines(first.path)) == list("01234")


def test_many_threads_may_hand_in_the_same_jobs_at_once(start: Callable[..., JobQueue]):
    gate = Gate()
    gate.open.set()
    made = start(gate, size=1000)
    threads = [threading.Thread(target=lambda: [made.accept(job(number)) for number in range(40)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.close(20)
    assert sorted(gate.done) == sorted(f"{number}" for number in range(40))


def test_queued_jobs_are_done_before_the_interpreter_ends(tmp_path: Path):
    code = (
        "import time\nfrom wsgi_core.shared.jobs import *\nfrom wsgi_core.shared.jobs.store import Job\n"
        "def work(job):\n    time.sleep(0.02)\n    return {'id': job.id}\n"
        f"queue = JobQueue(open_store({str(tmp_path / 'jobs')!r}), work, ResultsFile(__import__('pathlib').Path("
        f"{str(tmp_path / 'results')!r})), 10)\n"
        "for n in range(5):\n    queue.accept(Job(str(n), 'a', str(n), None, time.time()))\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert [line["id"] for line in lines(tmp_path / "results")] == list("01234")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_forked_process_has_a_worker_of_its_own(tmp_path: Path):
    code = (
        "import os, time, pathlib\nfrom wsgi_core.shared.jobs import *\nfrom wsgi_core.shared.jobs.store import Job\n"
        f"queue = JobQueue(open_store({str(tmp_path / 'jobs')!r}), lambda job: {{'id': job.id, 'pid': os.getpid()}}, "
        f"ResultsFile(pathlib.Path({str(tmp_path / 'results')!r})), 10)\n"
        "queue.accept(Job('0', 'a', '0', None, time.time()))\nqueue.drain(5)\n"
        "child = os.fork()\n"
        "ok = queue.accept(Job(str(os.getpid()), 'a', 'x', None, time.time())) and queue.drain(5)\n"
        "if not child:\n    os._exit(0 if ok else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0 and ok\n"
    )
    done = run("-W", "ignore::DeprecationWarning", "-c", code)
    assert done.returncode == 0, done.stderr
    assert len(lines(tmp_path / "results")) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a process's files to set")
def test_a_full_disk_refuses_and_leaves_nothing_behind(tmp_path: Path):
    code = (
        "import resource, time\nfrom wsgi_core.shared.jobs import *\nfrom wsgi_core.shared.jobs.store import Job\n"
        f"queue = JobQueue(open_store({str(tmp_path / 'jobs')!r}), lambda job: {{}}, None, 1000)\n"
        "queue.store.check_durable()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\naccepted = []\n"
        "for n in range(50):\n"
        "    try:\n"
        "        queue.store.add(Job(str(n), 'a', str(n), 'x' * 20_000, time.time())) and accepted.append(str(n))\n"
        "    except StoreUnavailable as error:\n"
        "        print(error)\n"
        "        break\n"
        "else:\n    raise SystemExit('never full')\n"
        "try:\n    queue.accept(Job('new', 'a', 'new', 'x' * 20_000, time.time()))\n"
        "except QueueFull as error:\n    print(error)\n"
        f"assert sorted(open_store({str(tmp_path / 'jobs')!r}).states()) >= sorted(accepted) and accepted\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the job cannot be stored" in done.stdout


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


# Servers that are killed at random instants under load.


SECRET = "0123456789abcdef"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with only the model that webhooks need, so that a server starts quickly."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(default_models_dir() / "churn", folder / "churn")
    return folder


def serve(models: Path, results: Path, store: str, port: int | str = 0) -> Server:
    options = {"--models": models, "--port": port, "--webhook-results": results, "--job-store": store}
    return Server(
        "-m", "wsgi_core", "serve", *(str(part) for pair in options.items() for part in pair),
        WSGI_CORE_WEBHOOK_SECRETS=f"crm={SECRET}",
    )  # fmt: skip


class Victim:
    """A server that is killed repeatedly, and each time started again on another port."""

    def __init__(self, start: Callable[[], Server]) -> None:
        self._start = start
        self.server = start().ready()
        self.kills = 0

    def kill(self) -> None:
        """Kill the process, and start the server again."""
        self.server.process.kill()
        self.server.stop()
        self.kills += 1
        self.server = self._start().ready()


def deliver(victims: Sequence[Victim], numbers: Sequence[int], statuses: Counter[str]) -> None:
    """Send each delivery again until one of the servers accepts it, as senders of webhooks do."""
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
    """Deliver from four threads while servers are killed at random times. Return the counts of the statuses."""
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
    """A Redis server with an append-only file, started for the test."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here (Debian: redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    port = free_ports()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "always"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


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


def test_the_store_on_redis_waits_for_the_disk_and_leaves_no_connection(redis: str):
    """Jobs that several threads add at once are all there, and a repeated one is a duplicate."""
    made = open_store(f"{redis[:-1]}2")
    made.check_durable()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: made.add(job(number)), range(40)))
    assert not made.add(job(1))
    made._table("states").delete_data("crm-1")
    made.restore_states()
    assert made.requeue_due() == 1
    taken = [made.take(9) for _ in range(40)]
    assert {found[0].key for found in taken if found} == {f"crm-{number}" for number in range(40)}
    made.close()
    pool_of_connections = made._make_table("jobs").conn.connection_pool
    assert all(connection._sock is None for connection in pool_of_connections._available_connections)


@pytest.mark.parametrize(("deliveries", "kills"), [(100, 1), pytest.param(1000, 10, marks=pytest.mark.long)])
def test_two_servers_on_one_redis_record_each_delivery_once(
    models: Path, tmp_path: Path, redis: str, deliveries: int, kills: int
):
    """Each server has its own file of results, as on two machines. Each server is killed and started again."""
    place = f"{redis[:-1]}{1 if deliveries > 100 else 0}"
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    with ExitStack() as stack:
        victims = [Victim(lambda file=file: serve(models, file, place)) for file in files]  # type: ignore[misc]
        for victim in victims:
            stack.callback(lambda victim=victim: victim.server.stop())
        press(victims, deliveries, kills, random.Random(15))
        shared = open_store(place)
        stack.callback(shared.close)
        wait_until_done(shared, 100)
    found = recorded(*files)
    assert len(found) == len(set(found)), [name for name, count in Counter(found).items() if count > 1]
    assert set(found) == {str(number) for number in range(deliveries)}
    assert all(recorded(file) for file in files), "both servers have done some"
