"""Calls to other services, limited in number and in time, so that they cannot block all worker threads.

Each call runs on a new thread, because a DNS lookup cannot be interrupted. After the timeout, the caller continues, and
the thread runs until the call returns.
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
    """Runs at most `size` calls at a time, and waits at most `seconds` for each result. Thread-safe."""

    def __init__(self, size: int, seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        self._slots = threading.BoundedSemaphore(size)

    def run(self, call: Callable[[], T]) -> T:
        """Run `call` on a new thread. Return its result, or raise its exception.

        Raises TooManyCalls at once if `size` calls are running. Raises TimeoutError after `seconds` seconds. The call
        still counts as running until it returns.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyCalls
        result: Future[T] = Future()

        def work() -> None:
            try:
                answer = call()
            except BaseException as error:
                self._slots.release()  # before the caller continues, because it may call again at once
                result.set_exception(error)
            else:
                self._slots.release()
                result.set_result(answer)

        threading.Thread(target=work, name="upstream", daemon=True).start()
        return result.result(self.seconds)
