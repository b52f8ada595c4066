"""A time limit for a program: after the limit, the program's next loop or call raises TimeLimit.

A loop inside a C function is not interrupted. For this case, the page has its own time limit, and ends the web worker.
"""

from __future__ import annotations

import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

SECONDS = 5
# wsgi_core.trace uses the tool IDs 3 and 4.
_TOOL = 5


class TimeLimit(BaseException):
    """Raised in a program that runs too long. It is not an Exception, so ``except Exception`` does not catch it."""


@contextmanager
def time_limit(file: str, seconds: float = SECONDS) -> Iterator[None]:
    """Inside the ``with`` block, raise TimeLimit if the program in `file` runs for more than `seconds`.

    Each call and each iteration of a loop in `file` checks the time. Before Python 3.12, there is no limit.
    """
    end = time.monotonic() + seconds

    def check(*args: t.Any) -> None:
        if time.monotonic() > end:
            raise TimeLimit(f"The program did not end within {seconds:g} seconds.")

    def called(code: CodeType, offset: int) -> object:
        if code.co_filename != file:
            return sys.monitoring.DISABLE
        sys.monitoring.set_local_events(_TOOL, code, sys.monitoring.events.JUMP)
        check()
        return None

    if sys.version_info < (3, 12):  # the page has a newer Python, but tests may run on 3.11
        yield
        return
    monitoring = sys.monitoring
    monitoring.use_tool_id(_TOOL, "playground.time_limit")
    monitoring.register_callback(_TOOL, monitoring.events.PY_START, called)
    monitoring.register_callback(_TOOL, monitoring.events.JUMP, check)
    monitoring.set_events(_TOOL, monitoring.events.PY_START)
    try:
        yield
    finally:
        monitoring.set_events(_TOOL, monitoring.events.NO_EVENTS)
        monitoring.free_tool_id(_TOOL)
        monitoring.restart_events()
