"""A time limit for the program that runs: a loop in it is ended where it stands, and Python goes on.

The page has a limit of its own and ends the whole worker, for what Python does not see: a loop inside a C function.
"""

from __future__ import annotations

import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

SECONDS = 5
# The tool ids 3 and 4 are the trace's.
_TOOL = 5


class TimeLimit(BaseException):
    """The time is over. Not an Exception: a program that catches those does not catch this one."""


@contextmanager
def time_limit(file: str, seconds: float = SECONDS) -> Iterator[None]:
    """Raise TimeLimit in the first loop or call of the program in `file` that goes on after so many seconds."""
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

    if sys.version_info < (3, 12):  # the tests' Python may be older than the page's
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
