"""Two threads take turns in running the event loop: the leader/followers pattern (Schmidt et al., POSA 2, 2000).

The leader runs the event loop. If a request is probably quick, the leader also calls the application, because passing
the request to another thread costs time. If the request takes too long, the follower becomes the leader. After its
request, the former leader is the follower.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_TICK = 0.004
"""Seconds between two checks of the follower. If the leader is in the same request at both checks, the follower becomes
the leader.
"""

# After this number of checks without a request on the leader, the follower sleeps until the leader's next request.
_CHECKS_UNTIL_SLEEP = 50

# `run` waits in steps of this many seconds, because on Windows a signal does not interrupt the wait for an event.
_WAIT = 0.25

# The leader serves requests while their average cost is below this many seconds. The cost of a request is its CPU
# time plus `_WAITED_FACTOR` times its waiting time, for example for a database.
_QUICK = 0.001
# The weight of the newest request in the moving average.
_WEIGHT = 1 / 8
# Waiting time counts this many times, because worker threads could answer other requests meanwhile.
_WAITED_FACTOR = 5
# At most this many seconds of a request count as waiting time. Otherwise, a pause could begin because the system
# runs another process for some milliseconds during one request.
_MAX_WAITED = 0.0005
# If requests are slow, the leader serves no requests for this many seconds.
_PAUSE = 0.1
# While requests stay slow, each pause is twice as long as the last, up to this many seconds.
_LONGEST_PAUSE = 3.2

cpu_clock = time.perf_counter if sys.platform == "win32" else time.thread_time
"""The clock for CPU time. On Windows, the elapsed time is used, because time.thread_time() has steps of 16 ms."""


class QuickRequests:
    """Measures how long requests take on the leader.

    If the requests were slow, the leader should not answer requests before `paused_until` (time.monotonic()).
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self._pause = _PAUSE
        self.paused_until = 0.0

    def record(self, seconds: float, cpu: float, now: float, replaced: bool = False) -> None:
        """Record a request that the leader answered. It took `seconds`, including `cpu` seconds of CPU time.

        `now` is the time at which the request began (time.monotonic()). `replaced` is true if the request took so long
        that the other thread became the leader. In this case, or if the average cost is too high, a pause begins at the
        end of the request: the leader should answer no requests before `paused_until`.
        """
        cost, waited = cpu, seconds - cpu
        if waited > 0.0:
            cost += _WAITED_FACTOR * (waited if waited < _MAX_WAITED else _MAX_WAITED)
        self._mean += _WEIGHT * (cost - self._mean)
        if self._mean >= _QUICK or replaced:
            self._mean = 0.0
            self.paused_until = now + seconds + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        elif cost < _QUICK:
            self._pause = _PAUSE


class LoopThreads:
    """The two threads of an event loop: the leader and the follower."""

    def __init__(self) -> None:
        self._leader = 0
        self._working_since = 0.0
        self._asleep = False
        self._wake = threading.Lock()
        self._wake.acquire()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def run(self, step: Callable[[], bool], take_over: Callable[[], None]) -> None:
        """Call `step` repeatedly on the leader, until `step` returns False or `shutdown` is called.

        If the leader is in `serve` for too long, the follower becomes the leader and calls `take_over`. Raises the
        exceptions of `step` and `take_over`.
        """
        for number in range(2):
            name = f"io-{number}"
            thread = threading.Thread(target=self._work, args=(step, take_over), name=name, daemon=True)
            self._threads.append(thread)
        self._leader = -1
        for thread in self._threads:
            thread.start()
        try:
            while not self._ended.wait(_WAIT):
                pass
        except BaseException:  # Ctrl-C without a handler: the caller closes what the loop uses
            self.shutdown(time.monotonic() + 1.0)
            raise
        if self._error is not None:
            raise self._error

    def serve(self, function: Callable[[T], None], argument: T) -> bool:
        """Call `function(argument)` on the calling thread, which must be the leader.

        Return whether the calling thread is still the leader after the call.
        """
        self._working_since = time.perf_counter()  # on Windows, time.monotonic() has steps of 16 ms
        if self._asleep:
            self._wake_follower()
        try:
            function(argument)
        finally:
            with self._lock:
                leads = self._leader == threading.get_ident()
                if leads:
                    self._working_since = 0.0
        return leads

    def shutdown(self, until: float) -> bool:
        """End both threads, and wait for them, at most until `until` (time.monotonic()). Return whether both threads
        have ended.
        """
        self._end()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, step: Callable[[], bool], take_over: Callable[[], None]) -> None:
        me = threading.get_ident()
        try:
            while self._follow(me, take_over):
                while self._leader == me:
                    if self._ended.is_set() or not step():
                        return
        except BaseException as error:
            self._error = error
        finally:
            if self._leader == me:
                self._end()

    def _follow(self, me: int, take_over: Callable[[], None]) -> bool:
        """Wait until this thread can become the leader, and make this thread the leader. Return False if the loop has
        ended.

        `me` is the id of this thread. If this thread replaces another leader, call `take_over`.
        """
        with self._lock:
            if self._leader == -1:
                self._leader = me
                return True
        idle = 0
        while not self._ended.is_set():
            since = self._working_since
            idle = 0 if since else idle + 1
            if idle > _CHECKS_UNTIL_SLEEP:
                self._sleep()
                idle = 0
                continue
            time.sleep(_TICK)
            if since and self._working_since == since:
                with self._lock:
                    if self._working_since != since:
                        continue
                    self._leader = me
                    self._working_since = 0.0
                take_over()
                return True
        return False

    def _sleep(self) -> None:
        """Wait until the leader begins a request or the loop ends."""
        with self._lock:
            self._asleep = True  # before the check: the leader sets `_working_since` and then reads `_asleep`
            if self._working_since or self._ended.is_set():
                self._asleep = False
                return
        self._wake.acquire()

    def _wake_follower(self) -> None:
        with self._lock:
            if self._asleep:
                self._asleep = False
                self._wake.release()

    def _end(self) -> None:
        self._ended.set()
        self._wake_follower()
