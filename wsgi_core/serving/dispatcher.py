"""Passes requests to threads. Health checks and metrics have their own threads, so they do not wait for slow requests.

A task is a request with its response. A stream is a response that is sent in pieces. A task has expired if it has
waited too long for a thread (`Queued.has_expired`). A parked task waits because too many large bodies are being
processed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from ..shared.settings import Settings
from .admission import Admission, Permit, Refused
from .body_buffer import ByteBudget
from .leader import LoopThreads, QuickRequests, cpu_clock
from .protocols import Client, Queued

logger = logging.getLogger("wsgi_core.serving")

_HEALTH_THREADS = 2

LARGE = 512 << 10
"""The size in bytes from which a body counts as large. The Python objects of a JSON body need many times its size."""

MAX_WAITING_STREAMS = 64
"""A pool sends at most `threads` - 1 + `MAX_WAITING_STREAMS` streams at the same time."""
# After a stream has waited for its client for this many seconds, a new stream may replace the stream.
_BLOCKED_SECONDS = 1.0

# If the last task began at least this many seconds ago, an idle thread is woken for the next task. Otherwise, the
# thread of the last task will probably be free soon.
_WAKE_AFTER_SECONDS = 0.001
# While tasks are queued and threads are idle, the event loop checks every this many seconds whether to wake a thread.
_TICK_WHILE_QUEUED = 0.001
# The leader answers queued requests for at most this many seconds, and then handles its sockets again.
_TURN = 0.002


class LargeBodies:
    """Limits the large bodies that are processed at the same time to `limit` bytes in total. One large body is always
    allowed.

    If a further body would exceed the limit, its request is parked. Parked requests begin in the order in which they
    were parked, and do not occupy a thread while they wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._parked: deque[Queued] = deque()
        self._acquired: set[Queued] = set()
        self._lock = threading.Lock()

    def acquire(self, task: Queued) -> bool:
        """Return whether `task` may begin. If not, park the task."""
        with self._lock:
            if task in self._acquired:
                return True
            if self._parked or not self._fits(task):
                self._parked.append(task)
                return False
            self._accept(task)
        return True

    def release(self, task: Queued) -> list[Queued]:
        """Record that `task` is done or has expired. Return the parked tasks that may begin now."""
        following: list[Queued] = []
        with self._lock:
            if task in self._acquired:
                self._acquired.remove(task)
                self._used -= task.body_size
            while self._parked and self._fits(self._parked[0]):
                following.append(self._parked.popleft())
                self._accept(following[-1])
        return following

    def pop_expired(self, now: float, limit: float) -> Queued | None:
        """If the first parked task has expired, remove and return the task. Otherwise, return None."""
        with self._lock:
            if self._parked and self._parked[0].has_expired(now, limit):
                return self._parked.popleft()
        return None

    def _accept(self, task: Queued) -> None:
        self._acquired.add(task)
        self._used += task.body_size

    def _fits(self, task: Queued) -> bool:
        return not self._used or self._used + task.body_size <= self._limit


class WorkerPool:
    """Threads that answer the tasks of one queue. While responses are streamed, the pool may have more than `threads`
    threads.

    `live` is the number of threads, and `streams` is the number of streams. `blocked` has the connections whose streams
    wait for the client, with the time at which the wait began. While `unsent.exceeded` is true, no task begins.
    """

    def __init__(self, threads: int, name: str, unsent: ByteBudget | None = None) -> None:
        self.threads = threads
        self.name = name
        self._unsent = unsent or ByteBudget(0)
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
        """Put a task at the end of the queue, or at the front if `first` is true. Wake an idle thread if necessary."""
        with self._lock:
            (self._queue.appendleft if first else self._queue.append)(task)
            wake = self._next_idle(time.monotonic())
        if wake is not None:
            wake.release()

    def check_queue(self) -> bool:
        """If tasks are queued, start missing threads and wake an idle thread, as necessary.

        Return whether the caller should check again soon, because a task is queued and a thread is idle.
        """
        if self._queue and self.live < self._wanted():
            self._fill()
        if not (self._queue and self._idle) or self._unsent.exceeded:
            return False
        with self._lock:
            wake = self._next_idle(time.monotonic())
        if wake is not None:
            wake.release()
        return bool(self._queue and self._idle)

    def oldest_wait(self, now: float) -> float:
        """Return how many seconds the first task in the queue has waited, or 0 if the queue is empty. `now` is
        time.monotonic().
        """
        with self._lock:
            return now - self._queue[0].received_at if self._queue else 0.0

    def pop_expired(self, now: float, limit: float) -> Queued | None:
        """If the first task in the queue has expired, remove and return the task. Otherwise, return None."""
        with self._lock:
            if self._queue and self._queue[0].has_expired(now, limit):
                return self._queue.popleft()
        return None

    def begin_stream(self) -> bool:
        """Count a stream that the calling thread begins, and return True.

        If too many streams are being sent, end the stream that has waited longest for its client. If no stream has
        waited for `_BLOCKED_SECONDS` seconds, return False instead.
        """
        with self._lock:
            full = self.streams >= self.threads - 1 + MAX_WAITING_STREAMS
            longest = min(self.blocked.items(), key=lambda one: one[1], default=None) if full else None
            if full and (longest is None or time.monotonic() - longest[1] < _BLOCKED_SECONDS):
                return False
            self.streams += 1
            if longest is not None:
                del self.blocked[longest[0]]
        if longest is not None:
            longest[0].abort()
        self._fill()
        return True

    def end_stream(self) -> None:
        """Record that the stream of the calling thread has ended."""
        with self._lock:
            self.streams -= 1

    def wait_for_client(self, client: Client) -> None:
        """Wait until `client` has read most of its unsent bytes, or until its connection is closed.

        Meanwhile, another thread answers tasks in place of the calling thread.
        """
        with self._lock:
            self.blocked[client] = time.monotonic()
        self._fill()
        try:
            client.wait_drained()
        finally:
            with self._lock:
                self.blocked.pop(client, None)

    def shutdown(self, until: float) -> bool:
        """End the threads, and wait for them, at most until `until` (time.monotonic()). Return whether all threads have
        ended.
        """
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
        """Choose an idle thread to wake, and return its lock. The thread runs when the caller releases the lock.

        Return None if no idle thread should be woken.
        """
        if not self._idle or self._woken or self._unsent.exceeded:
            return None
        if len(self._idle) < self.live and now - self._began < _WAKE_AFTER_SECONDS:
            return None
        self._woken += 1
        return self._idle.pop()

    def _wanted(self) -> int:
        """Return how many threads the pool needs.

        At least `threads` threads must not wait for a client. At least one of these threads must not send a stream.
        """
        blocked = len(self.blocked)
        return self.threads + blocked + max(0, self.streams - blocked - (self.threads - 1))

    def _fill(self) -> None:
        with self._lock:
            missing = 0 if self._stopping else self._wanted() - self.live
        for _ in range(missing):
            self._start()

    def _start(self) -> None:
        # A daemon thread, because a thread that never ends must not keep the process alive after `stop_timeout`.
        thread = threading.Thread(target=self._work, name=f"{self.name}-{self.live}", daemon=True)
        with self._lock:  # also around the start, because `shutdown` cannot join a thread that has not started
            try:
                thread.start()
            except RuntimeError as error:  # the system allows no more threads; `check_queue` tries again
                logger.error("a worker thread could not be started: %s", error)
                return
            self.live += 1
            self._threads.add(thread)

    def _work(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        woken = False
        while True:
            with self._lock:
                self._woken -= woken
                woken = False
                surplus = self.live > self._wanted()
                if self._queue and not surplus and not self._unsent.exceeded:
                    task = self._queue.popleft()
                    self._began = time.monotonic()
                elif surplus or self._stopping:
                    self.live -= 1
                    self._threads.discard(threading.current_thread())
                    wake = self._next_idle(time.monotonic()) if self._queue else None
                    break
                else:
                    self._idle.append(lock)
                    task = None
            if task is None:
                lock.acquire()
                woken = not self._stopping
                continue
            self._answer(task)
            del task
        if wake is not None:
            wake.release()

    def _answer(self, task: Queued) -> None:
        try:
            self.serve(task)
        except BaseException:
            logger.exception("a request could not be answered")

    def serve(self, task: Queued) -> None:
        task.service()


class TaskDispatcher(WorkerPool):
    """Admits requests and passes them to worker threads. Separate threads answer health checks and requests for
    metrics.

    While requests are quick, the thread that runs the event loop may also answer requests. leader.py calls this thread
    the leader.
    """

    def __init__(self, settings: Settings, admission: Admission, unsent: ByteBudget) -> None:
        self.loop = LoopThreads()
        self._quick = QuickRequests()
        self._settings = settings
        self.admission = admission
        self._large = LargeBodies(settings.max_content_length)
        self._health = WorkerPool(_HEALTH_THREADS, "health")
        self._monitor = WorkerPool(1, "monitor")
        super().__init__(settings.threads, "work", unsent)

    def add_task(self, task: Queued) -> Refused | None:
        """Queue a task. If the task needs a slot and cannot get one, return the reason instead."""
        if task.monitoring:
            (self._health if task.health else self._monitor).add(task)
            return None
        admitted = self.admission.acquire(task.client)
        if not isinstance(admitted, Permit):
            return admitted
        task.permit = admitted
        self.add(task)
        return None

    def poll_timeout(self, tick: float) -> float:
        """Wake idle threads if tasks are queued. Return how many seconds the event loop may wait for events, at most
        `tick`.
        """
        if not (self._queue or self._health._queue or self._monitor._queue):
            return tick
        queued = self.check_queue() | self._health.check_queue() | self._monitor.check_queue()
        with self._lock:  # otherwise a worker thread may take the last request of the queue in `_leader_serves`
            leads = self._leader_serves(time.monotonic())
        if leads:
            return 0.0
        return _TICK_WHILE_QUEUED if queued else tick

    def serve_on_leader(self) -> None:
        """Answer queued tasks on the calling thread, which must be the leader. After `_TURN` seconds, begin no further
        task.

        If a task takes too long, another thread becomes the leader before this method returns.
        """
        if not self._queue:
            return
        began, cpu = time.perf_counter(), cpu_clock()
        until = began + _TURN
        while self._queue and began < until:
            with self._lock:
                now = time.monotonic()
                if not self._leader_serves(now):
                    return
                task = self._queue.popleft()
                self._began = now
            leads = self.loop.serve(self._answer, task)
            ended, cpu_ended = time.perf_counter(), cpu_clock()
            self._quick.record(ended - began, cpu_ended - cpu, now, replaced=not leads)
            began, cpu = ended, cpu_ended
            if not leads:
                self._forget_former_leader()
                return

    def add_former_leader(self) -> None:
        """Count the former leader as a worker thread until its task is done. Called when another thread becomes the
        leader.
        """
        with self._lock:
            self.live += 1
            # If the former leader sends a stream, a thread may already have been started in its place.
            surplus = self._idle.pop() if self._idle and self.streams and self.live > self._wanted() else None
            self._woken += surplus is not None
        if surplus is not None:
            surplus.release()

    def _forget_former_leader(self) -> None:
        with self._lock:
            self.live -= 1
        self._fill()

    def _leader_serves(self, now: float) -> bool:
        """Return whether the leader should answer the next queued task.

        The leader answers the task if all worker threads are idle, requests were quick, the body is not large, and the
        unsent bytes are within their limit. Call this method with `_lock` held.
        """
        return bool(
            self._queue
            and len(self._idle) == self.live
            and now >= self._quick.paused_until
            and self._queue[0].body_size < LARGE
            and not self._unsent.exceeded
        )

    def _next_idle(self, now: float) -> threading.Lock | None:
        return None if self._leader_serves(now) else super()._next_idle(now)

    def cancel(self, task: Queued) -> bool:
        """If `task` still waits for a thread, release its slot. Return whether the slot was released."""
        permit = task.permit
        if permit is None or not self.admission.cancel(permit):
            return False
        task.permit = None
        return True

    def expire(self, now: float) -> None:
        """Answer 503 to the expired tasks at the front of the queue and at the front of the parked tasks."""
        limit = self._settings.max_wait
        while (task := self.pop_expired(now, limit) or self._large.pop_expired(now, limit)) is not None:
            if self.cancel(task):
                task.expire()
            self._add_first(self._large.release(task))

    def end(self, timeout: float) -> bool:
        """End all threads. Return whether all threads have ended within `timeout` seconds."""
        until = time.monotonic() + timeout
        ended = self.shutdown(until)
        return all([self._health.shutdown(until), self._monitor.shutdown(until), self.loop.shutdown(until), ended])

    def serve(self, task: Queued) -> None:
        """Answer `task`. If too many large bodies are being processed, park the task instead.

        A cancelled task is not answered. An expired task gets a 503.
        """
        if task.body_size < LARGE:
            self._begin(task)
        elif self._large.acquire(task):
            try:
                self._begin(task)
            finally:
                self._add_first(self._large.release(task))

    def _add_first(self, tasks: list[Queued]) -> None:
        for task in reversed(tasks):
            self.add(task, first=True)

    def _begin(self, task: Queued) -> None:
        permit = task.permit
        if permit is None:
            return  # the request was cancelled
        if task.has_expired(time.monotonic(), self._settings.max_wait):
            if self.cancel(task):
                task.expire()
        elif self.admission.begin(permit):
            task.service()
