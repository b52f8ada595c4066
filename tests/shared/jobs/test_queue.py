"""What was accepted is done at least once and recorded once; what fails is retried, and then a dead letter."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import run
from wsgi_core.shared.jobs import JobQueue, JobStore, QueueFull, ResultsFile, open_store, queue, store
from wsgi_core.shared.jobs.store import DELAYED, RUNNING, Job, State


def job(number: int, source: str = "crm") -> Job:
    return Job(f"{source}-{number}", source, f"{number}", {"number": number}, time.time())


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobStore]:
    made = open_store(str(tmp_path / "jobs"))
    yield made
    made.close()


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
    """Work that waits until the gate is open, and notes what was done."""

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
    assert made.store.waiting() == 0, "a dead letter takes no slot"
    assert not made.accept(job(1)), "a dead letter is known"
    broken = False
    assert made.store.revive("crm-1")
    wait_for(lambda: not made.store.states() and not made.store.dead())
    assert len(tries) == queue.MAX_ATTEMPTS + 1
    assert not made.store.revive("crm-1")


def test_a_job_whose_processes_were_killed_each_time_is_a_dead_letter(jobs: JobStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "LEASE_SECONDS", 0.0)
    jobs.add(job(1))
    for attempt in range(queue.MAX_ATTEMPTS):
        taken = jobs.take(queue.MAX_ATTEMPTS)
        assert taken is not None, attempt
        assert taken[1].phase == RUNNING
        assert jobs.requeue_due() == 1
    assert jobs.take(queue.MAX_ATTEMPTS) is None
    assert "ended before it was done" in jobs.dead()["crm-1"].error


def test_the_lease_of_a_long_job_is_renewed(start: Callable[..., JobQueue], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.02)
    gate = Gate()
    first, second = start(gate), start(gate)
    first.accept(job(1))
    assert gate.begun.wait(10)
    time.sleep(0.9)
    gate.open.set()
    assert first.drain(10)
    assert second.close(5)
    assert gate.done == ["1"]


def test_a_second_worker_that_takes_an_expired_job_records_it_no_second_time(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two workers do the same job at the same time, as after a long pause of the first one's machine."""
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
    workers = [threading.Thread(target=JobQueue(jobs, work, results, 10)._do, args=found) for found in taken if found]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert len(workers) == 2
    assert [line["id"] for line in lines(tmp_path / "results")] == ["1"]


def test_another_machine_never_records_what_the_first_may_have_recorded(jobs: JobStore, tmp_path: Path):
    jobs.add(job(1))
    stored = jobs.job("crm-1")
    assert stored is not None
    assert jobs.mark_done(stored, "first machine") is None
    made = JobQueue(jobs, lambda job: {"id": job.id}, ResultsFile(tmp_path / "results"), 10)
    taken = jobs.take(9)
    assert taken is not None
    made._do(*taken)
    assert not (tmp_path / "results").exists()
    assert jobs.states()["crm-1"].phase == DELAYED
    assert "first machine" in jobs.states()["crm-1"].error


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


def test_states_are_plain_values(jobs: JobStore):
    jobs.add(job(1))
    jobs.set_state("crm-1", State(DELAYED, 5.0, 3, "why"))
    assert jobs.states() == {"crm-1": State(DELAYED, 5.0, 3, "why")}
