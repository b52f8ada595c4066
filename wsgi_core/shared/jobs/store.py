"""The job store: an SQLite file, or Redis if several machines share the jobs.

lease: the right of a process to run a job; it expires unless the process renews it
mark: a record that a job is done, which stays when the job is deleted
recorder: the results file for which a job is marked as done, named by its host and path
dead letter: a job that is not retried unless an operator requests this

Each table of a store is a storage object of the library huey. huey's worker is not used: it deletes a task before it
runs the task, so a killed process loses the task.
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
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ..installation import install_command

log = logging.getLogger("wsgi_core.jobs")

LEASE_SECONDS = 10.0
"""The duration of a lease. If a lease expires, the job is queued again."""

RECORDER_SECONDS = 3600.0
"""Seconds for which a marked job waits for a process with its results file. Then the job becomes a dead letter."""

REMEMBERED_MONTHS = 2
"""The number of calendar months in which a finished job is not accepted again. The first month is the month in which
the job was accepted."""

QUEUED, RUNNING, DELAYED, DEAD = "queued", "running", "delayed", "dead"


class StoreUnavailable(Exception):
    """Raised if the store cannot be read or written, for example because the disk is full or Redis does not respond."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job. Two jobs with the same `key` are duplicates.

    source: the name of the webhook's sender
    id: the sender's id of the webhook, or the SHA-256 of its body
    payload: the parsed body of the webhook
    accepted: the Unix time at which the job was accepted
    """

    key: str
    source: str
    id: str
    payload: object
    accepted: float


@dataclass(frozen=True, slots=True)
class State:
    """The state of a job in the store.

    phase: QUEUED, RUNNING, DELAYED or DEAD
    due: the Unix time at which `requeue_due` queues the job again, unless the state changes before
    attempts: the number of attempts so far
    error: the last error, or why the job waits
    recorder: the results file for which the job is marked as done, named by its host and path; or ""

    If `recorder` is not empty, this file may already have the outcome. So only processes that write to the file may run
    the job again.
    """

    phase: str
    due: float
    attempts: int = 0
    error: str = ""
    recorder: str = ""


def default_store() -> Path:
    """Return the path of the SQLite file that is used if neither a store nor a results file is configured."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "wsgi_core" / "jobs.sqlite3"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "wsgi_core" / "jobs.sqlite3"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "wsgi_core" / "jobs.sqlite3"


def open_store(location: str | None, password: str | None = None, beside: Path | None = None) -> JobStore:
    """Open the store at `location`: the path of an SQLite file, or `redis://HOST:PORT/DB`.

    If `location` is None, open a file beside the results file `beside`. If `beside` is None, too, open
    `default_store()`. A connection to Redis is opened when it is first used. Raises StoreUnavailable if the file cannot
    be written, if the URL is not valid, or if the Python client of Redis is not installed.
    """
    if location and location.startswith(("redis://", "rediss://")):
        return JobStore(location, _redis_tables(location, password), wait_until_durable=_wait_for_disk)
    file = Path(location) if location else beside.with_name(beside.name + ".jobs") if beside else default_store()
    try:
        if not location and not beside:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # APPSEC: payloads are private data, and by default SQLite would create a file that all users can read.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the job store {file} cannot be written: {error.strerror}") from error
    return JobStore(str(file), _sqlite_tables(file))


# huey is imported only when a store is opened, because huey also imports the client of Redis, which is slow.


def _sqlite_tables(file: Path) -> Callable[[str], Any]:
    from huey.storage import SqliteStorage

    def make_table(name: str) -> Any:
        # Only writes of jobs and marks are synced to disk. Each sync includes all earlier writes, because SQLite has
        # one write-ahead log for all tables.
        table = SqliteStorage(name, str(file), cache_mb=1, fsync=name == "jobs" or name.startswith("done"))
        table.lock = threading.RLock()  # reentrant, because `before_fork` holds the lock while it calls close()
        return table

    return make_table


def _redis_tables(url: str, password: str | None) -> Callable[[str], Any]:
    from huey.storage import RedisStorage

    try:
        from redis import ConnectionPool
    except ImportError as error:
        raise StoreUnavailable(f"the Python client of Redis is not installed: {install_command('redis')}") from error
    options = {"password": password} if password else {}
    try:
        pool = ConnectionPool.from_url(url, socket_timeout=5, socket_connect_timeout=5, **options)
    except ValueError as error:
        raise StoreUnavailable(f"the URL {url} is not valid: {error}") from error

    def make_table(name: str) -> Any:
        table = RedisStorage(f"wsgi_core_{name}", blocking=False, connection_pool=pool, clean_name=False)
        table.close = partial(pool.disconnect, inuse_connections=False)  # huey's close() leaves the pool open
        return table

    return make_table


def _wait_for_disk(table: Any) -> None:
    """Wait until the append-only file of Redis, with all earlier writes, is on disk.

    Do not wait if Redis is older than 7.2 or has no append-only file. Raises StoreUnavailable after 4 seconds.
    """
    from redis.exceptions import ResponseError

    # Before 7.2, Redis has no command WAITAOF, and only its setting appendfsync says when writes are synced. If Redis
    # has no append-only file, WAITAOF is an error, too, and `check_durable` has logged a warning.
    with contextlib.suppress(ResponseError):
        # WAITAOF waits for the last write of its own connection, and each command may use another connection. So one
        # pipeline makes a write and waits for it: the earlier writes come before it in the file.
        pipeline = table.conn.pipeline(transaction=False)
        pipeline.hincrby(table.counter_key, "syncs")
        pipeline.execute_command("WAITAOF", 1, 0, 4000)
        if pipeline.execute()[1][0] < 1:
            raise StoreUnavailable("Redis has not synced its file within 4 seconds: is appendfsync set to no?")


class JobStore:
    """Jobs and their states. Several processes can use the same store, each with its own `JobStore`. Thread-safe.

    If the store cannot be read or written, methods raise StoreUnavailable. `make_table` opens a table by its name.
    `wait_until_durable` waits until earlier writes to a table are on disk. With SQLite it is None, because SQLite syncs
    each job and each mark at once.
    """

    def __init__(
        self, location: str, make_table: Callable[[str], Any], wait_until_durable: Callable[[Any], None] | None = None
    ) -> None:
        self.location = location
        self._make_table = make_table
        self._wait_until_durable = wait_until_durable
        self._tables: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._opened = time.time()

    # Adding

    def add(self, job: Job) -> bool:
        """Commit a job to the store. Return False if the store already has the job, or if the job is already done."""
        with self._errors():
            if self.is_done(job):
                return False
            if self._table("jobs").has_data_for_key(job.key):
                self._sync("jobs")  # the first delivery may have failed because the job was not yet on disk
                return False
            # The state is written first. A state without a job is deleted later, but a job without a state and without
            # a queue entry would not run before the next start of a process.
            state = State(QUEUED, time.time() + LEASE_SECONDS)
            self._table("states").put_if_empty(job.key, _dump(asdict(state)))
            if not self._table("jobs").put_if_empty(job.key, _dump(asdict(job))):
                return False
            self._sync("jobs")
            if self.is_done(job):  # another process has finished the job since the first check
                self.remove(job.key)
                return False
        # From here the job is accepted: if the queue cannot be written now, `requeue_due` queues it later.
        with contextlib.suppress(StoreUnavailable), self._errors():
            self._queue("").enqueue(job.key.encode())
        return True

    def count_unfinished(self) -> int:
        """Return the number of jobs that are queued, running or delayed."""
        with self._errors():
            return int(self._table("states").result_store_size())

    # Working

    def take(self, max_attempts: int, recorder: str = "") -> tuple[Job, State] | None:
        """Lease the next queued job to the caller. Return the job and its new state, or None if no job is queued.

        `recorder` names the caller's results file. Jobs that are marked as done for this file come first. Jobs that are
        marked for other files are not returned. A job with `max_attempts` attempts becomes a dead letter, and is not
        returned.
        """
        with self._errors():
            while (found := self._dequeue(recorder)) is not None:
                key = bytes(found).decode()
                job, state = self.job(key), self.state(key)
                if job is None:
                    self._table("states").delete_data(key)
                    continue
                if state is None and not self._table("dead").has_data_for_key(key):
                    state = State(QUEUED, 0.0)  # `requeue_due` deleted the state just before the job was written
                if state is None or state.phase != QUEUED:
                    continue  # the job was queued twice
                if state.recorder not in ("", recorder):
                    continue  # the job was queued before the other recorder marked it
                if state.attempts >= max_attempts:
                    self.bury(key, state, state.error or "each process that ran the job ended before the job was done")
                else:
                    leased = replace(state, phase=RUNNING, due=time.time() + LEASE_SECONDS, attempts=state.attempts + 1)
                    self.set_state(key, leased)
                    return job, leased
            return None

    def renew(self, key: str, state: State) -> None:
        """Extend the lease of a running job to `LEASE_SECONDS` from now. Do nothing if the job no longer exists."""
        self.replace_state(key, replace(state, due=time.time() + LEASE_SECONDS))

    def requeue_due(self, recorder: str = "") -> int:
        """Queue each job whose `State.due` has passed. Return the number of queued jobs.

        A job is due after its retry delay, after its lease, or after a long time in the queue, because its queue entry
        may be lost. If a job is marked as done for another results file than `recorder`, the job is not queued. If such
        a job stays due for `RECORDER_SECONDS` while this store is open, the job becomes a dead letter.
        """
        with self._errors():
            now = time.time()
            due = {key: state for key, state in self.states().items() if state.due <= now}
            queued = 0
            for key, state in due.items():
                if self.job(key) is None:
                    self._table("states").delete_data(key)
                elif state.recorder in ("", recorder):
                    self.set_state(key, replace(state, phase=QUEUED, due=now + LEASE_SECONDS))
                    self._queue(state.recorder).enqueue(key.encode())
                    queued += 1
                elif max(state.due, self._opened) + RECORDER_SECONDS <= now:
                    self.bury(key, state, f"the job is done, but no process that writes to {state.recorder} is running")
            return queued

    def restore_states(self) -> None:
        """Write a state for each job that has no state and is not a dead letter, so that `requeue_due` queues the job.

        A process that is killed while it takes a job can leave a job without a state.
        """
        with self._errors():
            state = _dump(asdict(State(QUEUED, time.time())))
            # In this order, a job that becomes a dead letter or is removed at the same time is not restored.
            jobs, states, dead = (_keys(self._table(name)) for name in ("jobs", "states", "dead"))
            for key in jobs - states - dead:
                self._table("states").put_if_empty(key, state)

    def leave_to(self, recorder: str, key: str, state: State) -> None:
        """Leave a running job to the processes with the results file `recorder`, for which the job is marked as done.

        Only these processes may then run the job. They wait for `LEASE_SECONDS`, because one of them may still be
        recording the outcome. The current attempt is not counted.
        """
        due, attempts = time.time() + LEASE_SECONDS, state.attempts - 1
        self.replace_state(
            key, State(DELAYED, due, attempts, f"waits for a process that writes to {recorder}", recorder)
        )

    def mark_done(self, job: Job, recorder: str) -> str | None:
        """Mark a job as done. The mark stores `recorder`, the name of the results file that gets the outcome, or "" if
        no file gets it.

        If the job already has a mark that `is_done` considers, change nothing, and return the name that this mark
        stores. Otherwise return None.
        """
        with self._errors():
            while True:
                for back in range(REMEMBERED_MONTHS):
                    if (marked_by := _bytes(self._table(_done(job.accepted, back)), job.key)) is not None:
                        return marked_by.decode()
                name = _done(job.accepted)
                if self._table(name).put_if_empty(job.key, recorder.encode()):
                    self._sync(name)
                    return None

    def remove(self, key: str) -> None:
        """Delete a job, its state and its dead letter. If `mark_done` has marked the job as done, the mark stays."""
        with self._errors():
            for name in ("jobs", "states", "dead"):
                self._table(name).delete_data(key)

    def bury(self, key: str, state: State, error: str) -> None:
        """Make a job a dead letter, and log an error.

        An operator can retry or purge the dead letter. If a late attempt still succeeds, the dead letter is deleted.
        """
        with self._errors():
            self._table("dead").put_data(key, _dump(asdict(replace(state, phase=DEAD, error=error))))
            self._table("states").delete_data(key)
        log.error("job %.12s is a dead letter after %d attempts: %s", key, state.attempts, error)

    def requeue(self, key: str) -> bool:
        """Queue a dead letter again, with 0 attempts.

        Return False if there is no dead letter with this key, or if the store no longer has its job.
        """
        with self._errors():
            job, dead = self.job(key), self._read("dead", State, key)
            if job is None:
                self._table("dead").delete_data(key)
            if job is None or dead is None:
                return False
            for back in range(REMEMBERED_MONTHS):
                self._table(_done(job.accepted, back)).delete_data(key)
            # The error stays: it shows the next worker that the outcome may already be recorded.
            self.set_state(key, State(QUEUED, time.time() + LEASE_SECONDS, error=dead.error))
            self._table("dead").delete_data(key)
            self._queue("").enqueue(key.encode())
            return True

    def delete_old(self) -> None:
        """Delete the marks of jobs that were accepted in the 12 calendar months before the remembered months.

        The remembered months are the current month and the `REMEMBERED_MONTHS` - 1 months before.
        """
        with self._errors():
            for back in range(REMEMBERED_MONTHS, REMEMBERED_MONTHS + 12):
                self._table(_done(time.time(), back)).flush_results()

    # Reading and writing records

    def job(self, key: str) -> Job | None:
        """Return the job with this key, or None if there is no such job or its record is not valid."""
        return self._read("jobs", Job, key)

    def state(self, key: str) -> State | None:
        """Return the state of a queued, running or delayed job.

        Return None if no such job has this key, or if the record of the state is not valid.
        """
        return self._read("states", State, key)

    def set_state(self, key: str, state: State) -> None:
        with self._errors():
            self._table("states").put_data(key, _dump(asdict(state)))

    def replace_state(self, key: str, state: State) -> None:
        """Write the state of a job if the store still has the job."""
        if self.job(key) is not None:
            self.set_state(key, state)

    def states(self) -> dict[str, State]:
        """Return the states of all jobs that are queued, running or delayed, by key. Invalid records are omitted."""
        return self._read_states("states")

    def dead(self) -> dict[str, State]:
        """Return the states of all dead letters, by key. Invalid records are omitted."""
        return self._read_states("dead")

    def is_done(self, job: Job) -> bool:
        """Return whether a job with the same key is marked as done.

        Only jobs that were accepted in the month of `job`, or in the `REMEMBERED_MONTHS` - 1 months before, are
        considered.
        """
        with self._errors():
            names = (_done(job.accepted, back) for back in range(REMEMBERED_MONTHS))
            return any(self._table(name).has_data_for_key(job.key) for name in names)

    def check_durable(self) -> None:
        """Raise StoreUnavailable if the store cannot be read. Log a warning if Redis has no append-only file."""
        with self._errors():
            table = self._table("states")
            table.result_store_size()
            if self._wait_until_durable and not table.conn.info("persistence").get("aof_enabled"):
                log.warning(
                    "%s has no append-only file: set appendonly yes, or jobs are lost if Redis ends", self.location
                )

    # Tables and connections

    def _queue(self, recorder: str) -> Any:
        return self._table(f"queue of {recorder}" if recorder else "queue")

    def _dequeue(self, recorder: str) -> Any:
        found = self._queue(recorder).dequeue()
        return self._queue("").dequeue() if found is None and recorder else found

    def _read(self, name: str, kind: type[Record], key: str) -> Record | None:
        with self._errors():
            data = _bytes(self._table(name), key)
        return None if data is None else _read(kind, key, data)

    def _read_states(self, name: str) -> dict[str, State]:
        with self._errors():
            items = self._table(name).result_items()
        states = {key: _read(State, key, value) for key, value in items.items()}
        return {key: state for key, state in states.items() if state is not None}

    def _sync(self, name: str) -> None:
        """Wait until earlier writes to the table `name` are on disk. With SQLite, do nothing (see `JobStore`)."""
        if self._wait_until_durable:
            self._wait_until_durable(self._table(name))

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

    # NOTE: a child process must not inherit an open connection to the SQLite file, because SQLite would treat the
    # parent's locks as locks of the child.
    def before_fork(self) -> None:
        """Close all connections to the SQLite file, and let no thread open a new connection until the fork is over.

        With Redis, close only connections that no thread is using. The child process uses none of the parent's
        connections.
        """
        self._lock.acquire()
        for table in self._tables.values():
            if hasattr(table, "lock"):
                table.lock.acquire()
            table.close()

    def after_fork_in_parent(self) -> None:
        """Release the locks that `before_fork` acquired."""
        for table in self._tables.values():
            if hasattr(table, "lock"):
                table.lock.release()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Reset the store, so that the child process opens its own connections."""
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


def _done(accepted: float, months_back: int = 0) -> str:
    """Return the name of the table of done jobs for one month: `months_back` months before the month of `accepted`."""
    year, month = time.gmtime(accepted)[:2]
    number = year * 12 + month - 1 - months_back
    return f"done{number // 12}{number % 12 + 1:02}"


def _keys(table: Any) -> set[str]:
    """Return the keys of a table, without reading its values."""
    if hasattr(table, "sql"):
        return {key for (key,) in table.sql("select key from kv where queue = ?", (table.name,), results=True)}
    return {key.decode() for key in table.conn.hkeys(table.result_key)}


def _bytes(table: Any, key: str) -> bytes | None:
    """Return the value of a key, or None if the table has no such key."""
    from huey.constants import EmptyData

    data = table.peek_data(key)
    return None if data is EmptyData else bytes(data)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


Record = TypeVar("Record", Job, State)

_ADAPTERS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Job, State)}
_YEAR_10000 = 253_402_300_800


def _read(kind: type[Record], key: str, data: Any) -> Record | None:
    """Parse a record. If the record is not valid, log an error and return None.

    Other programs may have written to the store, and a record that is not valid must not stop the worker.
    """
    try:
        record: Record = _ADAPTERS[kind].validate_json(bytes(data), strict=True)
        seconds = record.accepted if isinstance(record, Job) else record.due
        if not 0 <= seconds < _YEAR_10000 or (isinstance(record, Job) and record.key != key):
            raise ValueError("the time or the key is wrong")
    except (ValueError, TypeError) as error:
        log.error("the record of the job %.100a is not valid: %.200s", key, " ".join(f"{error}".split()))
        return None
    return record
