"""A simulation of server processes that share a job store, in virtual time and with random interleavings.

`JobStore`, `JobQueue` and `ResultsFile` are the real classes, on SQLite. Their threads are replaced by actors, which
are greenlets. At each operation on a table, a lock or an event, an actor returns to the simulation, which draws the
actor that runs next. All draws come from one seed, so the same seed repeats the same interleaving.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from huey.storage import SqliteStorage

from wsgi_core.shared.jobs import JobQueue, JobStore, ResultsFile, queue
from wsgi_core.shared.jobs.store import Job

greenlet = pytest.importorskip("greenlet")  # Locust depends on it

START = 1_700_000_000.0
MAX_STEPS = 6000  # about four times as many as all jobs need
IDLE = "waits for an event"


@dataclass(eq=False)
class Process:
    """A server process. The clock of its machine is `skew` seconds fast."""

    machine: int
    skew: float
    paused_until: float = 0.0


class Actor:
    """A thread of a process. It is resumed as soon as `is_ready()` is true, and at the virtual time `due`."""

    def __init__(self, name: str, process: Process, target: Callable[[], object], simulation: Any) -> None:
        self.name, self.process, self.greenlet = name, process, greenlet.greenlet(target, simulation)
        self.step, self.due = "starts", START
        self.is_ready: Callable[[], bool] = lambda: False


class Lock:
    """A lock of threads, or of processes if it has a path. The simulated system releases it if a process is killed."""

    def __init__(self, simulation: Simulation, path: str = "", timeout: float = 0.0) -> None:
        self._simulation, self._name = simulation, path or self

    def __enter__(self) -> None:
        self._simulation.wait("waits for a lock", lambda: self._name not in self._simulation.locked, math.inf)
        self._simulation.locked.add(self._name)

    def __exit__(self, *error: object) -> None:
        self._simulation.locked.remove(self._name)


class Event(threading.Event):
    """An event for which actors wait in virtual time."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__()
        self._simulation = simulation

    def wait(self, timeout: float | None = None) -> bool:
        self._simulation.wait(IDLE, self.is_set, timeout or math.inf)
        return self.is_set()


class Table:
    """A table of the store. Other actors may run before each operation. All tables share one connection."""

    def __init__(self, simulation: Simulation, storage: SqliteStorage, name: str) -> None:
        self._simulation, self._storage, self.name = simulation, storage, name

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._simulation.wait(f"{self.name}.{operation} {arguments[:1]}")
            self._storage.name = self.name
            return getattr(self._storage, operation)(*arguments, **options)

        return call


class Simulation:
    """One or two machines with one or two processes each, to which `jobs` are sent. Some attempts of a job fail.

    At random steps, processes are paused, or killed and later restarted. `steps` is the interleaving.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.jobs = [f"job {number}" for number in range(8)]
        self.steps: list[str] = []
        self.locked: set[object] = set()
        self._folder, self._random, self._now = folder, random.Random(seed), START
        self._storage = SqliteStorage("", str(folder / "jobs"), fsync=False)
        self._accepted: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._disturbances = self._random.randint(0, 12)
        self._actors: list[Actor] = []
        self._main = greenlet.getcurrent()
        self._queues: dict[Process, JobQueue] = {}  # the processes that are up
        self._outside = Process(-1, 0.0)  # the senders of jobs, and the operator that restarts processes
        for key in self.jobs:
            self._actor = self._add(f"sender of {key}", self._outside, partial(self._send, key))
        for machine in range(self._random.randint(1, 2)):
            skew = self._random.choice((-4, 0, 4))
            for _ in range(self._random.randint(1, 2)):
                self._boot(Process(machine, skew))

    def run(self) -> tuple[list[str], list[str]]:
        """Run until all jobs are done. Return the recorded jobs, and the jobs, states and dead letters in the store."""
        with pytest.MonkeyPatch.context() as patch:
            lock, event = partial(Lock, self), partial(Event, self)
            patch.setattr(queue, "threading", SimpleNamespace(Lock=lock, Event=event, Thread=self._thread))
            patch.setattr("filelock.FileLock", lock)
            patch.setattr(time, "time", lambda: self._now + self._actor.process.skew)
            patch.setattr(JobStore, "delete_old", Mock())  # its many steps concern only old jobs
            patch.setattr(queue, "POLL_SECONDS", 1.0)  # half as many steps of idle processes
            patch.setattr(queue, "atexit", Mock())
            patch.setattr(queue, "_queues", set())
            patch.setattr(queue.log, "disabled", True)
            while len(self.steps) < MAX_STEPS and self._advance():
                pass
            self._kill(*{actor.process for actor in self._actors})
        left = self._left()
        self._storage.close()
        lines = [line for file in self._folder.glob("results *") for line in file.read_bytes().splitlines()]
        return sorted(json.loads(line)["sha256"] for line in lines), left

    def _left(self) -> list[str]:
        rows = self._storage.sql("select queue, key from kv where queue in ('jobs', 'states', 'dead')", results=True)
        return [f"{key} in {table}" for table, key in rows]

    def _advance(self) -> bool:
        """Resume or disturb an actor that is ready, or else advance the time. Return False if all jobs are done."""
        self._actors = [actor for actor in self._actors if not actor.greenlet.dead]
        times = [max(actor.process.paused_until, START if actor.is_ready() else actor.due) for actor in self._actors]
        ready = [actor for actor, at in zip(self._actors, times, strict=True) if at <= self._now]
        if ready:
            self._actor = self._random.choice(ready)
            can_be_disturbed = self._actor.process in self._queues and self._actor.step != IDLE
            if can_be_disturbed and self._disturbances and self._random.random() < 0.07:
                self._disturb(self._actor.process)
            else:
                self._actor.greenlet.switch()
            self._now += self._random.choice((0, 0.0005, 0.002))
        elif all(actor.step == IDLE for actor in self._actors) and not self._left():
            return False
        else:
            self._now = min(times)
        return True

    def _disturb(self, process: Process) -> None:
        self._disturbances -= 1
        if self._random.random() < 0.8:
            # A pause of 9 seconds is longer than a lease if the clock of another machine is fast.
            process.paused_until = self._now + self._random.choice((9, 12))
        else:
            del self._queues[process]
            self._kill(process)
            self._add("operator", self._outside, partial(self._restart, process))

    def _kill(self, *processes: Process) -> None:
        for actor in self._actors:
            # An actor may wait again, for a lock in a `finally` clause.
            while actor.process in processes and not actor.greenlet.dead:
                self._actor = actor
                actor.greenlet.throw()

    def _add(self, name: str, process: Process, target: Callable[[], object]) -> Actor:
        self._actors.append(Actor(name, process, target, self._main))
        return self._actors[-1]

    # What actors do

    def wait(self, step: str, is_ready: Callable[[], bool] = lambda: False, timeout: float = 0.0) -> None:
        """Let other actors run until `is_ready()` is true, or for `timeout` seconds. By default, let them run once."""
        actor = self._actor
        actor.step, actor.is_ready, actor.due = step, is_ready, self._now + timeout
        self._main.switch()
        self.steps.append(f"{self._now - START:.4f} machine {actor.process.machine}, {actor.name}: {step}")

    def _thread(self, target: Callable[[], object], name: str, daemon: bool) -> SimpleNamespace:
        return SimpleNamespace(start=partial(self._add, name, self._actor.process, target))

    def _boot(self, process: Process) -> None:
        self._add("main thread", process, partial(self._start_queue, process))

    def _start_queue(self, process: Process) -> None:
        file = ResultsFile(self._folder / f"results {process.machine}")
        file.recorder = f"recorder {process.machine}"
        started = JobQueue(JobStore("simulated", partial(Table, self, self._storage)), self._work, file, 100)
        started.start()
        self._queues[process] = started

    def _work(self, job: Job) -> dict[str, object]:
        self.wait(f"works on {job.key}", timeout=self._random.choice((0, 0.3, 14)))
        if self._failures[job.key] < 2 and self._random.random() < 0.1:
            self._failures[job.key] += 1
            raise RuntimeError("the work has failed")
        return {}

    def _restart(self, process: Process) -> None:
        self.wait("waits", timeout=self._random.choice((0.01, 2, 15, 40)))
        self._boot(Process(process.machine, process.skew))

    def _send(self, key: str) -> None:
        """Send a job to random processes until a process accepts it."""
        while key not in self._accepted:
            until = len(self.steps) + self._random.randrange(100)
            self.wait("waits", lambda until=until: len(self.steps) >= until and bool(self._queues), math.inf)
            process = self._random.choice(list(self._queues))
            request = self._add(f"request of {key}", process, partial(self._accept, key, self._queues[process]))
            self.wait("waits for the response", lambda request=request: request.greenlet.dead, math.inf)

    def _accept(self, key: str, accepting: JobQueue) -> None:
        accepting.accept(Job(key, "sender", key, None, time.time()))
        self._accepted.add(key)
