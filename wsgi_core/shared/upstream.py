"""Calls to other services, limited in number and in time, so that they cannot block all worker threads.

Each call runs on its own thread. The caller never waits longer than the deadline, even during a DNS lookup, which
cannot be interrupted. After the deadline, the thread ends when its socket operation ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class TooManyCalls(Exception):
    """Raised if the maximum number of calls is already running."""


class BoundedCalls:
    """A limit on calls: at most `size` calls run at a time, and a caller waits at most `seconds`. Thread-safe."""

    def __init__(self, size: int, seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(size)

    def run(self, call: Callable[[], T]) -> T:
        """Run `call` on a new thread. Return its result, or raise its exception.

        Raises TooManyCalls at once if no slot is free. Raises TimeoutError if the call takes longer than `seconds`.
        Such a call keeps its slot until it ends.
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
