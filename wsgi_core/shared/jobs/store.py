"""Where jobs are kept: in an SQLite file, or in Redis if several machines share the work.

The tables are huey's storages. huey's own consumer is not used: it deletes a task from the queue before it runs the
task, and so a killed process loses the task. Here a job is deleted after it is done, and `requeue_due` finds the jobs
of killed processes again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from huey.constants import EmptyData
from huey.storage import RedisStorage, SqliteStorage

from ..installation import install_command

log = logging.getLogger("wsgi_core.jobs")

LEASE_SECONDS = 10.0
"""Seconds after which a job counts as lost if no process has renewed its lease."""

REMEMBERED_MONTHS = 2
"""Calendar months, the current one included, for which a finished job is known as a duplicate."""

QUEUED, RUNNING, DELAYED, DEAD = "queued", "running", "delayed", "dead"


class StoreUnavailable(Exception):
    """The store cannot be read or written: the disk is full, Redis does not answer."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `key` identifies the signed content, `id` is the sender's name for it, `accepted` a Unix time."""

    key: str
    source: str
    id: str
    payload: object
    accepted: float


@dataclass(frozen=True, slots=True)
class State:
    """How far a job is. `due` is the Unix time at which it is queued again, unless it has moved on before."""

    phase: str
    due: float
    attempts: int = 0
    error: str = ""


def default_store() -> Path:
    """Return the SQLite file that is used if no other store is set. Nothing is created."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "wsgi_core" / "jobs.sqlite3"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "wsgi_core" / "jobs.sqlite3"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "wsgi_core" / "jobs.sqlite3"


def open_store(location: str | None, password: str | None = None, beside: Path | None = None) -> JobStore:
    """Return the store at `location`: a path, or `redis://HOST:PORT/DB`.

    Without a location it is a file beside `beside` (the file of results), or `default_store()`. Raises
    StoreUnavailable.
    """
    if location and location.startswith(("redis://", "rediss://")):
        return JobStore(location, _redis_tables(location, password), durable=_wait_for_disk)
    file = Path(location) if location else beside.with_name(beside.name + ".jobs") if beside else default_store()
    try:
        if not location and not beside:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # APPSEC: payloads are other people's data, and SQLite would create the file for everybody to read.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the store of jobs {file} cannot be written: {error.strerror}") from error
    return JobStore(str(file), _sqlite_tables(file))


def _sqlite_tables(file: Path) -> Callable[[str], Any]:
    # The write of a job waits for the disk, and with it everything that was written before: there is one log.
    return lambda name: SqliteStorage(name, str(file), cache_mb=1, fsync=name == "jobs" or name.startswith("done"))


def _redis_tables(url: str, password: str | None) -> Callable[[str], Any]:
    try:
        from redis import ConnectionPool
    except ImportError as error:
        raise StoreUnavailable(f"jobs in Redis need its client: {install_command('redis')}") from error
    options = {"password": password} if password else {}
    pool = ConnectionPool.from_url(url, socket_timeout=5, socket_connect_timeout=5, **options)
    return lambda name: RedisStorage(f"wsgi_core_{name}", blocking=False, connection_pool=pool, clean_name=False)


def _wait_for_disk(table: Any) -> None:
    """Wait until Redis has written everything to its append-only file, if it keeps one (Redis 7.2)."""
    from redis.exceptions import ResponseError

    # An older Redis does not know the command: there, appendfsync decides. One without the file is told at the start.
    with contextlib.suppress(ResponseError):
        if table.conn.execute_command("WAITAOF", 1, 0, 5000)[0] < 1:
            raise StoreUnavailable("Redis has not written the job to its append-only file within 5 seconds")


class JobStore:
    """Jobs and their states, in tables that every process opens for itself. All methods are safe for threads.

    Every method raises StoreUnavailable if the store cannot be read or written.
    """

    def __init__(
        self, location: str, make_table: Callable[[str], Any], durable: Callable[[Any], None] | None = None
    ) -> None:
        self.location = location
        self._make_table = make_table
        self._wait_until_durable = durable
        self._tables: dict[str, Any] = {}
        self._lock = threading.Lock()

    # Adding

    def add(self, job: Job) -> bool:
        """Commit a job; return False if the store has it already, or has finished it. It is on disk then."""
        with self._errors():
            if self.is_done(job):
                return False
            # A state without a job is swept away. A job without a state would be forgotten, hence this order.
            state = State(QUEUED, time.time() + LEASE_SECONDS)
            self._table("states").put_if_empty(job.key, _dump(asdict(state)))
            if not self._table("jobs").put_if_empty(job.key, _dump(asdict(job))):
                return False
            if self._wait_until_durable:
                self._wait_until_durable(self._table("jobs"))
            if self.is_done(job):  # finished by another process since the first look
                self.remove(job.key)
                return False
        # From here the job is accepted: if the queue cannot be written now, `requeue_due` queues it later.
        with contextlib.suppress(StoreUnavailable), self._errors():
            self._table("queue").enqueue(job.key.encode())
        return True

    def waiting(self) -> int:
        """Return how many jobs are neither done nor dead."""
        with self._errors():
            return int(self._table("states").result_store_size())

    # Working

    def take(self, worker_attempts: int) -> tuple[Job, State] | None:
        """Return the next queued job, now leased to the caller; None if there is none.

        A job whose processes have been killed `worker_attempts` times becomes a dead letter here.
        """
        with self._errors():
            while (found := self._table("queue").dequeue()) is not None:
                key = bytes(found).decode()
                job, state = self.job(key), self.state(key)
                if job is None or state is None:
                    self._table("states").delete_data(key)
                elif state.phase == RUNNING and state.due > time.time():
                    continue  # queued twice, and another worker has it
                elif state.attempts >= worker_attempts:
                    self.bury(key, state, state.error or "each process that ran it has ended before it was done")
                else:
                    leased = State(RUNNING, time.time() + LEASE_SECONDS, state.attempts + 1, state.error)
                    self.set_state(key, leased)
                    return job, leased
            return None

    def renew(self, key: str, state: State) -> None:
        """Extend the lease of a running job."""
        self.replace_state(key, replace(state, due=time.time() + LEASE_SECONDS))

    def requeue_due(self) -> int:
        """Queue every job again that is due: a retry, or a job of a process that was killed. Return how many."""
        with self._errors():
            now = time.time()
            due = {key: state for key, state in self.states().items() if state.due <= now}
            for key, state in due.items():
                if self.job(key) is None:
                    self._table("states").delete_data(key)
                    continue
                self.set_state(key, replace(state, phase=QUEUED, due=now + LEASE_SECONDS))
                self._table("queue").enqueue(key.encode())
            return len(due)

    def mark_done(self, job: Job, recorder: str) -> str | None:
        """Mark a job as done by `recorder`; return None, or the recorder that has marked it before."""
        with self._errors():
            table = self._done(job.accepted)
            if table.put_if_empty(job.key, recorder.encode()):
                if self._wait_until_durable:
                    self._wait_until_durable(table)
                return None
            return bytes(table.peek_data(job.key)).decode()

    def remove(self, key: str) -> None:
        """Delete a job, whatever its state."""
        with self._errors():
            for name in ("jobs", "states", "dead"):
                self._table(name).delete_data(key)

    def bury(self, key: str, state: State, error: str) -> None:
        """Make a job a dead letter, which stays until someone retries or purges it."""
        with self._errors():
            self._table("dead").put_data(key, _dump(asdict(replace(state, phase=DEAD, error=error))))
            self._table("states").delete_data(key)
        log.error("job %.12s is a dead letter after %d attempts: %s", key, state.attempts, error)

    def revive(self, key: str) -> bool:
        """Queue a dead letter again, as if it were new; return False if there is none of this key."""
        with self._errors():
            job = self.job(key)
            if job is None or not self._table("dead").has_data_for_key(key):
                return False
            self._done(job.accepted).delete_data(key)
            self.set_state(key, State(QUEUED, time.time() + LEASE_SECONDS))
            self._table("dead").delete_data(key)
            self._table("queue").enqueue(key.encode())
            return True

    def forget_old(self) -> None:
        """Forget the finished jobs of the months before the last `REMEMBERED_MONTHS`."""
        with self._errors():
            for back in range(REMEMBERED_MONTHS, REMEMBERED_MONTHS + 12):
                self._done(time.time(), back).flush_results()

    # Looking

    def job(self, key: str) -> Job | None:
        """Return the job of a key."""
        with self._errors():
            data = self._table("jobs").peek_data(key)
        return None if data is EmptyData else Job(**json.loads(bytes(data)))

    def state(self, key: str) -> State | None:
        """Return the state of a job that is neither done nor dead."""
        with self._errors():
            data = self._table("states").peek_data(key)
        return None if data is EmptyData else State(**json.loads(bytes(data)))

    def set_state(self, key: str, state: State) -> None:
        """Write the state of a job."""
        with self._errors():
            self._table("states").put_data(key, _dump(asdict(state)))

    def replace_state(self, key: str, state: State) -> None:
        """Write the state of a job, if the job is still there."""
        if self.job(key) is not None:
            self.set_state(key, state)

    def states(self) -> dict[str, State]:
        """Return the states of all jobs that are neither done nor dead, by key."""
        return self._read_states("states")

    def dead(self) -> dict[str, State]:
        """Return the states of all dead letters, by key."""
        return self._read_states("dead")

    def is_done(self, job: Job) -> bool:
        """Return whether a job with this key was finished within the remembered months."""
        with self._errors():
            return any(self._done(job.accepted, back).has_data_for_key(job.key) for back in range(REMEMBERED_MONTHS))

    def check_durable(self) -> None:
        """Open the store, and log a warning if it is a Redis that keeps nothing on disk."""
        with self._errors():
            table = self._table("states")
            table.result_store_size()
            if self._wait_until_durable and not table.conn.info("persistence").get("aof_enabled"):
                log.warning("%s has no append-only file (appendonly yes): jobs are lost if Redis ends", self.location)

    # Inside

    def _read_states(self, name: str) -> dict[str, State]:
        with self._errors():
            items = self._table(name).result_items()
        return {key: State(**json.loads(bytes(value))) for key, value in items.items()}

    def _done(self, accepted: float, months_back: int = 0) -> Any:
        """Return the table of jobs that were accepted in this month, or so many months before it, and are done."""
        year, month = time.gmtime(accepted)[:2]
        number = year * 12 + month - 1 - months_back
        return self._table(f"done{number // 12}{number % 12 + 1:02}")

    def _table(self, name: str) -> Any:
        with self._lock:
            if name not in self._tables:
                self._tables[name] = self._make_table(name)
            return self._tables[name]

    def close(self) -> None:
        """Close the connections. The next call opens them again."""
        with self._lock:
            for table in self._tables.values():
                table.close()
            self._tables = {}

    # NOTE: a child process must not inherit an open connection. SQLite would take the parent's locks for the child's.
    def before_fork(self) -> None:
        """Close the connections, and let no thread open one until the fork is over."""
        self._lock.acquire()
        for table in self._tables.values():
            table.close()
            if hasattr(table, "lock"):
                table.lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Let the threads go on."""
        for table in self._tables.values():
            if hasattr(table, "lock"):
                table.lock.release()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin without a connection."""
        self._lock = threading.Lock()
        self._tables = {}

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self.location}: {error}") from error
        except Exception as error:
            if type(error).__module__.startswith("redis."):
                raise StoreUnavailable(f"{self.location}: {error}") from error
            raise


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
