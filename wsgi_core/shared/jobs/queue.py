"""The job queue. Each process has one worker thread, which also runs jobs that other processes accepted.

A second thread in each process renews the lease of the running job, and queues the jobs that are due. store.py explains
these words.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace

from .results import ResultsFile
from .store import DELAYED, Job, JobStore, State, StoreUnavailable

log = logging.getLogger("wsgi_core.jobs")

MAX_ATTEMPTS = 8
"""After this number of attempts without success, a job becomes a dead letter."""

MAX_DELAY_SECONDS = 300.0
"""The maximum delay before a retry. The first delay is one second, and each further delay is twice as long."""

POLL_SECONDS = 0.5
"""Seconds between two polls of the store, for jobs of other processes and for jobs that are due."""

EXIT_SECONDS = 10.0
"""The timeout of `JobQueue.close` when the interpreter exits."""


class QueueFull(Exception):
    """Raised if a job is refused: too many jobs are unfinished, the queue is closed, or the store has failed."""


class JobQueue:
    """Runs the jobs in `store` on a thread of this process.

    `work` runs a job, and returns its outcome, which is appended to `results` if this file is given. If an attempt
    fails, the job is retried later. After `MAX_ATTEMPTS` attempts, the job becomes a dead letter. While `size` or more
    jobs are queued, running or delayed, `accept` refuses new jobs.
    """

    def __init__(
        self, store: JobStore, work: Callable[[Job], Mapping[str, object]], results: ResultsFile | None, size: int
    ) -> None:
        self.store = store
        self._run = work
        self._results = results
        self._recorder = results.recorder if results else ""
        self._size = size
        self._begin()
        _queues.add(self)

    def _begin(self) -> None:
        self._closed = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._running: tuple[str, State] | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the worker thread and the maintenance thread, unless they are running or the queue is closed."""
        with self._lock:
            if self._threads or self._closed:
                return
            loops = {"jobs": self._work, "jobs due": self._maintain}
            self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops.items()]
            for thread in self._threads:
                thread.start()
        atexit.register(self._close_at_exit)

    def accept(self, job: Job) -> bool:
        """Commit a job to the store, and start the threads. Return False if the job is a duplicate.

        Raises `QueueFull` if the job cannot be accepted.
        """
        try:
            if self._closed:
                raise QueueFull("the process is shutting down")
            if self.store.count_unfinished() >= self._size:
                if self.store.is_done(job) or self.store.job(job.key):
                    return False
                raise QueueFull("too many jobs are waiting")
            is_new = self.store.add(job)
        except StoreUnavailable as error:
            log.error("jobs cannot be accepted: %s", error)
            raise QueueFull("the job cannot be stored") from error
        self.start()
        self._wake.set()
        return is_new

    def drain(self, timeout: float) -> bool:
        """Wait until no job in the store is queued or running. Return False if `timeout` seconds are not enough.

        Jobs that wait for a retry are ignored. Jobs that only a process with another results file may run are ignored,
        too. If the store cannot be read, return True.
        """
        until = time.monotonic() + timeout
        while self._busy():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def close(self, timeout: float) -> bool:
        """Accept no more jobs, drain the queue, stop the threads, and close the store. Return the result of `drain`.

        The method waits up to `timeout` seconds for `drain`, and then as long for each of the two threads. Unfinished
        jobs stay in the store. If the threads were never started, return True without waiting.
        """
        self._closed = True
        atexit.unregister(self._close_at_exit)
        done = self.drain(timeout) if self._threads else True
        self._stop_threads(timeout)
        if not done:
            log.warning("accepted jobs are not finished, and stay in %s until the next start", self.store.location)
        self.store.close()
        return done

    def _stop_threads(self, timeout: float) -> None:
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout)

    def _close_at_exit(self) -> None:
        self.close(EXIT_SECONDS)

    def _busy(self) -> bool:
        own = ("", self._recorder)
        try:
            return any(state.phase != DELAYED and state.recorder in own for state in self.store.states().values())
        except StoreUnavailable:
            return False

    # The worker

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                taken = self.store.take(MAX_ATTEMPTS, self._recorder)
                if taken is not None:
                    self._attempt(*taken)
                    continue
            except StoreUnavailable as error:
                log.error("the job store has failed: %s", error)
            except Exception:  # if this thread ended, this process would run no more jobs
                log.exception("the worker of the job queue failed, and continues with the next job")
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _attempt(self, job: Job, state: State) -> None:
        with self._lock:
            self._running = job.key, state
        try:
            self._finish(job, state)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("job %s %s has failed", job.source, job.id)
            self._retry_or_bury(job, state, f"{type(error).__name__}: {error}"[:500])
        finally:
            with self._lock:
                self._running = None

    def _finish(self, job: Job, state: State) -> None:
        """Run a job, and record its outcome.

        If the job is already marked as done for another results file, do not record the outcome. Leave the job to the
        processes with this other file.
        """
        outcome = self._run(job)
        end = self._results.end() if self._results else 0
        marked_by = self.store.mark_done(job, self._recorder)
        if marked_by and marked_by != self._recorder:
            # Only the other results file shows whether the outcome is already recorded.
            with self._lock:
                self._running = None
                self.store.leave_to(marked_by, job.key, state)
            return
        # If a process without a results file has marked the job, `marked_by` is empty, and no file gets the outcome.
        if self._results and marked_by != "":
            # An earlier attempt may have written the line of this job, here or in a process that was paused for longer
            # than its lease. If the job has neither an earlier mark nor an error, its line cannot be before `end`.
            is_first = marked_by is None and not state.error
            self._results.append(job.key, outcome, search_from=end if is_first else 0)
        with self._lock:
            self._running = None
            self.store.remove(job.key)

    def _retry_or_bury(self, job: Job, state: State, error: str) -> None:
        with self._lock:
            self._running = None
            if state.attempts >= MAX_ATTEMPTS:
                self.store.bury(job.key, state, error)
                return
            delay = min(MAX_DELAY_SECONDS, 2.0 ** (state.attempts - 1))
            self.store.set_state(job.key, replace(state, phase=DELAYED, due=time.time() + delay, error=error))

    def _maintain(self) -> None:
        """Renew the lease of the running job, and queue the jobs that are due, until `close` stops the thread.

        At the start, restore missing states. At the start and in each new month, delete old records of finished jobs.
        """
        month, restored = None, False
        while not self._stop.is_set():
            try:
                with self._lock:
                    if self._running:
                        self.store.renew(*self._running)
                if self.store.requeue_due(self._recorder):
                    self._wake.set()
                if not restored:
                    self.store.restore_states()
                    restored = True
                if month != (current := time.gmtime()[:2]):
                    self.store.delete_old()
                    month = current
            except StoreUnavailable as error:
                log.error("the job store has failed: %s", error)
            except Exception:
                log.exception("the maintenance of the job store failed, and is tried again")
            self._stop.wait(POLL_SECONDS)


_queues: weakref.WeakSet[JobQueue] = weakref.WeakSet()


_closed_for_fork: set[JobStore] = set()


def _before_fork() -> None:
    _closed_for_fork.update(queue.store for queue in list(_queues))
    for store in _closed_for_fork:
        store.before_fork()


def _after_fork_in_parent() -> None:
    while _closed_for_fork:
        _closed_for_fork.pop().after_fork_in_parent()


def _after_fork_in_child() -> None:
    """Reset the open queues in the child process. Start the threads of each queue whose threads ran in the parent.

    Of the parent's threads, only the thread that calls fork() exists in the child.
    """
    while _closed_for_fork:
        _closed_for_fork.pop().after_fork_in_child()
    for queue in list(_queues):
        if queue._closed:
            continue
        was_running = bool(queue._threads)
        queue._begin()
        if was_running:
            queue.start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
