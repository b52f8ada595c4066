"""Calls to other services: a few at a time, each with one deadline, so that they cannot block all threads.

A call runs on a thread of its own. The caller waits until the deadline and no longer, even if the name of the other
service is still being looked up; the thread then ends when its socket does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class TooManyCalls(Exception):
    """As many calls as are allowed are going on."""


class BoundedCalls:
    """At most `size` calls at a time, of at most `seconds` each. Any thread may call."""

    def __init__(self, size: int, seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(size)

    def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns, or raise what it raises.

        Raises TooManyCalls at once if no slot is free, TimeoutError at the deadline. A call that is late keeps its slot
        until it ends.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyCalls
        result: Future[T] = Future()

        def work() -> None:
            try:
                result.set_result(call())
            except BaseException as error:
                result.set_exception(error)
            finally:
                self._slots.release()

        threading.Thread(target=work, name="upstream", daemon=True).start()
        return result.result(self.seconds)
