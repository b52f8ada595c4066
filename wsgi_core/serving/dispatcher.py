"""The task dispatcher: worker threads, the queue in front of them, and two threads of their own for monitoring.

waitress has one unbounded queue in front of its threads. Here a request that gets no slot is refused at once, on the
I/O thread, and health never waits behind a model run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from ..shared.settings import Settings
from .admission import Admission, Permit, Refused
from .body_buffer import ByteBudget
from .protocols import Client, Queued

logger = logging.getLogger("wsgi_core.serving")

_MONITOR_THREADS = 2

LARGE = 512 << 10
"""Bytes from which on a body is a large one. As numbers and objects it takes many times its own memory."""

MAX_WAITING_STREAMS = 64
"""Streams that may wait for their clients, beyond all worker threads but one."""
# Seconds that a stream may wait before another one may take its place.
_PATIENCE = 1.0

# Seconds after which a running request is not expected to end soon, so that another thread is woken.
_SOON = 0.001


class LargeBodies:
    """Limits the large bodies that are worked on to `limit` bytes together; one is always allowed.

    Further requests are parked in the order in which they came: they keep their slot, and occupy no worker thread.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._parked: deque[Queued] = deque()
        self._entered: set[Queued] = set()
        self._lock = threading.Lock()

    def enter(self, task: Queued) -> bool:
        """Return whether the request may begin. If not, it is parked, and `leave` returns it when it may."""
        with self._lock:
            if task in self._entered:
                return True
            if self._parked or not self._fits(task):
                self._parked.append(task)
                return False
            self._used += task.body_size
        return True

    def leave(self, task: Queued) -> list[Queued]:
        """Note that a request is done; return those that may begin now. Each of them has entered already."""
        following: list[Queued] = []
        with self._lock:
            self._used -= task.body_size
            self._entered.discard(task)
            while self._parked and self._fits(self._parked[0]):
                following.append(self._parked.popleft())
                self._used += following[-1].body_size
            self._entered.update(following)
        return following

    def _fits(self, task: Queued) -> bool:
        return not self._used or self._used + task.body_size <= self._limit


class WorkerPool:
    """Threads that take tasks from one queue, and its arithmetic of streams: see docs/develop/server.md.

    `live` threads exist; `streams` of them send a response in pieces, and `blocked` of these wait for their clients.
    While more is unsent than `unsent` allows, no task is begun.
    """

    def __init__(self, threads: int, name: str, unsent: ByteBudget | None = None) -> None:
        self.threads = threads
        self.name = name
        self._unsent = unsent
        self.live = 0
        self.streams = 0
        self.blocked: dict[Client, float] = {}
        self._queue: deque[Queued] = deque()
        self._idle: list[threading.Lock] = []
        self._woken = 0
        self._began = 0.0
        self._stopping = False
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        for _ in range(threads):
            self._start()

    def add(self, task: Queued, first: bool = False) -> None:
        """Put a task into the queue. A thread is woken only if none of those that run can take it soon."""
        with self._lock:
            (self._queue.appendleft if first else self._queue.append)(task)
            wake = self._next_idle(time.monotonic())
        if wake is not None:
            wake.release()

    def stalled(self) -> bool:
        """Wake a thread if a task still waits for one that runs; whether to look again soon. On the I/O thread."""
        if not (self._queue and self._idle) or self._paused():
            return False
        with self._lock:
            wake = self._next_idle(time.monotonic())
        if wake is not None:
            wake.release()
        return bool(self._queue and self._idle)

    def _paused(self) -> bool:
        """Return whether too much is unsent for another response to be made."""
        return self._unsent is not None and self._unsent.exceeded

    def oldest_wait(self, now: float) -> float:
        """Return the seconds that the first task of the queue has waited."""
        with self._lock:
            return now - self._queue[0].received_at if self._queue else 0.0

    def pop_expired(self, now: float, limit: float) -> Queued | None:
        """Return the first task of the queue, removed, if it has waited longer than it may."""
        with self._lock:
            if self._queue and now - self._queue[0].received_at > self._queue[0].may_wait(limit):
                return self._queue.popleft()
        return None

    def begin_stream(self) -> bool:
        """Note that the calling thread sends in pieces from now on; False if there are too many such threads."""
        with self._lock:
            full = self.streams >= self.threads - 1 + MAX_WAITING_STREAMS
            longest = min(self.blocked.items(), key=lambda one: one[1], default=None) if full else None
            if full and (longest is None or time.monotonic() - longest[1] < _PATIENCE):
                return False
            self.streams += 1
            if longest is not None:
                del self.blocked[longest[0]]
        if longest is not None:
            longest[0].abort()
        self._fill()
        return True

    def end_stream(self) -> None:
        """Note that the stream of the calling thread has ended."""
        with self._lock:
            self.streams -= 1

    def wait_for_client(self, client: Client) -> None:
        """Wait until `client` has read most of what is unsent. Another thread takes the place of this one."""
        with self._lock:
            self.blocked[client] = time.monotonic()
        self._fill()
        try:
            client.wait_drained()
        finally:
            with self._lock:
                self.blocked.pop(client, None)

    def shutdown(self, until: float) -> bool:
        """End the threads, each after its current task; return whether all had ended at `until`."""
        with self._lock:
            self._stopping = True
            idle, self._idle = self._idle, []
            threads = list(self._threads)
        for lock in idle:
            lock.release()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _next_idle(self, now: float) -> threading.Lock | None:
        """Return the lock of the thread to wake, if any. The thread that worked last is the first."""
        if not self._idle or self._woken or self._paused():
            return None
        if len(self._idle) < self.live and now - self._began < _SOON:
            return None
        self._woken += 1
        return self._idle.pop()

    def _wanted(self) -> int:
        """Return how many threads there should be: enough that all but one of the pool may be streams."""
        blocked = len(self.blocked)
        return self.threads + blocked + max(0, self.streams - blocked - (self.threads - 1))

    def _fill(self) -> None:
        with self._lock:
            missing = 0 if self._stopping else self._wanted() - self.live
        for _ in range(missing):
            self._start()

    def _start(self) -> None:
        # A daemon: a thread that never ends must not keep the process alive beyond the stop's limit.
        thread = threading.Thread(target=self._work, name=f"{self.name}-{self.live}", daemon=True)
        with self._lock:
            self.live += 1
            self._threads.add(thread)
        thread.start()

    def _work(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        woken = False
        while True:
            with self._lock:
                self._woken -= woken
                woken = False
                if self._queue and not self._paused():
                    task = self._queue.popleft()
                    self._began = time.monotonic()
                elif self._stopping or self.live > self._wanted():
                    self.live -= 1
                    self._threads.discard(threading.current_thread())
                    return
                else:
                    self._idle.append(lock)
                    task = None
            if task is None:
                lock.acquire()
                woken = not self._stopping
                continue
            try:
                self.serve(task)
            except BaseException:
                logger.exception("a request could not be answered")
            del task

    def serve(self, task: Queued) -> None:
        """Answer a request."""
        task.service()


class TaskDispatcher(WorkerPool):
    """Admits requests and has them answered by worker threads; monitoring by threads of its own."""

    def __init__(self, settings: Settings, admission: Admission, unsent: ByteBudget) -> None:
        self._settings = settings
        self.admission = admission
        self._large = LargeBodies(settings.max_content_length)
        self._monitor = WorkerPool(_MONITOR_THREADS, "monitor")
        super().__init__(settings.threads, "work", unsent)

    def add_task(self, task: Queued) -> Refused | None:
        """Queue a request, or say why it gets no slot. On the I/O thread."""
        if task.monitoring:
            self._monitor.add(task)
            return None
        admitted = self.admission.acquire(task.client)
        if not isinstance(admitted, Permit):
            return admitted
        task.permit = admitted
        self.add(task)
        return None

    def stalled(self) -> bool:
        """Wake threads of both pools, as `WorkerPool.stalled` does; return whether to look again soon."""
        monitoring = self._monitor.stalled()
        return super().stalled() or monitoring

    def cancel(self, task: Queued) -> bool:
        """Release the slot of a request whose client is gone, if it still waits."""
        permit = task.permit
        if permit is None or not self.admission.cancel(permit):
            return False
        task.permit = None
        return True

    def expire(self, now: float) -> None:
        """Answer the requests that have waited too long, the oldest first. On the I/O thread."""
        while (task := self.pop_expired(now, self._settings.max_wait)) is not None:
            if self.cancel(task):
                task.expire()

    def end(self, timeout: float) -> bool:
        """End all threads; return whether all had ended after `timeout` seconds."""
        until = time.monotonic() + timeout
        ended = self.shutdown(until)
        return self._monitor.shutdown(until) and ended

    def serve(self, task: Queued) -> None:
        """Answer a request, unless its client is gone or its time was over before it began."""
        if task.body_size < LARGE:
            self._begin(task)
        elif self._large.enter(task):
            try:
                self._begin(task)
            finally:
                for following in self._large.leave(task):
                    self.add(following, first=True)

    def _begin(self, task: Queued) -> None:
        permit = task.permit
        if permit is None:
            return  # it was cancelled
        if time.monotonic() - task.received_at > task.may_wait(self._settings.max_wait):
            if self.cancel(task):
                task.expire()
        elif self.admission.begin(permit):
            task.service()
