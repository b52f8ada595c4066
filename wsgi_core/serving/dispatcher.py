"""The task dispatcher: worker threads, their queue, and threads for health checks and other monitoring requests.

waitress has one unbounded queue in front of its threads. Here the I/O thread refuses a request at once if there is no
slot for the request. Health checks have threads of their own, so they do not wait behind slow requests.
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
"""Size in bytes from which a body counts as large. Python objects made from a JSON body take many times its size."""

MAX_WAITING_STREAMS = 64
"""The pool runs at most this many streams in addition to `threads` - 1."""
# Seconds after which a stream that waits for its client may be ended, so that a new stream can begin.
_BLOCKED_SECONDS = 1.0

# If the last task began at least this many seconds ago, its thread may not be free soon, so another thread is woken.
_WAKE_AFTER_SECONDS = 0.001
# While requests are queued and threads are idle, the loop checks after this many seconds whether to wake a thread.
_TICK_WHILE_QUEUED = 0.001
# Seconds after which the leader handles its sockets again, even if more requests are queued.
_TURN = 0.002


class LargeBodies:
    """Limits the large bodies that are processed at the same time: together they may have at most `limit` bytes.

    One large body is always allowed. If another body would exceed the limit, its request is parked. Parked requests
    begin in the order in which they were parked. A parked request keeps its slot, but does not occupy a worker thread.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._parked: deque[Queued] = deque()
        self._acquired: set[Queued] = set()
        self._lock = threading.Lock()

    def acquire(self, task: Queued) -> bool:
        """Return whether the request may begin. If not, park the request until `release` returns it."""
        with self._lock:
            if task in self._acquired:
                return True
            if self._parked or not self._fits(task):
                self._parked.append(task)
                return False
            self._accept(task)
        return True

    def release(self, task: Queued) -> list[Queued]:
        """Record that a request is done or has expired. Return the parked requests that may begin now."""
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
        """Remove and return the first parked request if it has expired (`Queued.has_expired`), otherwise None."""
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
    """Threads that take tasks from one queue. More threads are started for streams: see docs/develop/server.md.

    `live` is the number of threads, and `streams` the number of responses that are being sent in pieces. `blocked` has
    the connections whose streams wait for the client, each with the time when the wait began. No task begins while the
    unsent bytes exceed the budget `unsent`.
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
        """Put a task at the end of the queue, or at its front if `first` is true. Wake an idle thread if necessary."""
        with self._lock:
            (self._queue.appendleft if first else self._queue.append)(task)
            wake = self._next_idle(time.monotonic())
        if wake is not None:
            wake.release()

    def check_queue(self) -> bool:
        """If a task is queued, start threads that could not be started before, and wake an idle thread if necessary.

        Return whether the caller should call this method again soon, because a task is queued and a thread is idle.
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
        """Return how many seconds the first task in the queue has waited, or 0 if the queue is empty."""
        with self._lock:
            return now - self._queue[0].received_at if self._queue else 0.0

    def pop_expired(self, now: float, limit: float) -> Queued | None:
        """Remove and return the first task in the queue if it has expired (`Queued.has_expired`), otherwise None."""
        with self._lock:
            if self._queue and self._queue[0].has_expired(now, limit):
                return self._queue.popleft()
        return None

    def begin_stream(self) -> bool:
        """Record that the calling thread begins a stream. Return False if there are too many streams.

        At the limit, the new stream replaces the stream that has waited longest for its client, if that stream has
        waited for at least `_BLOCKED_SECONDS`. The connection of the replaced stream is closed.
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
        """Record that the calling thread's stream has ended."""
        with self._lock:
            self.streams -= 1

    def wait_for_client(self, client: Client) -> None:
        """Wait until at most a quarter of `task.WATERMARK` bytes of `client` are unsent, or the connection is closed.

        Meanwhile another thread runs tasks in place of the calling thread.
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
        """End the threads. Return whether all threads have ended by `until` (time.monotonic())."""
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
        """Return the lock of an idle thread. The thread runs when the caller releases the lock.

        Return None if no thread should run.
        """
        if not self._idle or self._woken or self._unsent.exceeded:
            return None
        if len(self._idle) < self.live and now - self._began < _WAKE_AFTER_SECONDS:
            return None
        self._woken += 1
        return self._idle.pop()

    def _wanted(self) -> int:
        """Return how many threads the pool needs.

        At least `threads` threads must not be blocked. At least one thread must neither be blocked nor send a stream.
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
        """Answer a request."""
        task.service()


class TaskDispatcher(WorkerPool):
    """Admits requests and passes them to worker threads. Separate threads answer monitoring requests.

    While all worker threads are idle and requests are quick, the I/O thread itself answers requests instead of a worker
    thread. In `loop`, this thread is called the leader. `_leader_serves` lists all conditions.
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
        """Queue a request, or return a `Refused` if there is no slot for the request. Runs on the I/O thread."""
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
        """Wake idle threads if requests are queued. Return how long the event loop may wait: at most `tick` seconds."""
        if not (self._queue or self._health._queue or self._monitor._queue):
            return tick
        queued = self.check_queue() | self._health.check_queue() | self._monitor.check_queue()
        if self._leader_serves(time.monotonic()):
            return 0.0
        return _TICK_WHILE_QUEUED if queued else tick

    def serve_on_leader(self) -> None:
        """Answer queued requests on the calling thread, the leader, while requests are quick.

        After `_TURN` seconds, no further request is begun. The calling thread may no longer be the leader when this
        method returns.
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
        """Begin to count the former leader as a worker thread. Called when another thread becomes the leader.

        This ends when the former leader has completed its request (see `serve_on_leader`).
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
        """Return whether the leader, instead of a worker thread, should answer the next queued request.

        The leader should answer it if all worker threads are idle, requests are expected to be quick, the request's
        body is not large, and the unsent bytes do not exceed their budget.
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
        """Release the slot of a request that still waits for a thread. Return whether the slot was released."""
        permit = task.permit
        if permit is None or not self.admission.cancel(permit):
            return False
        task.permit = None
        return True

    def expire(self, now: float) -> None:
        """Answer 503 to expired requests at the front of the queue, and at the front of the parked requests."""
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
        """Answer a request, unless it was cancelled. Answer 503 if the request has expired.

        If the request has a large body and too many large bodies are being processed, park the request instead.
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
