"""Record which functions are called while a program of the course answers a request.

Only calls of the program's own functions, and the program's calls of functions in `LIBRARIES`, are recorded.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

LIBRARIES = ("werkzeug", "blinker", "itsdangerous")
# The lookups of proxies and properties, which would appear between all lines of the program.
_LOOKUPS = {"_ProxyLookup.__get__", "cached_property.__get__"}


class CallTrace:
    """A profile function for `sys.setprofile`. `lines` has one line for each recorded call, indented by depth.

    Only calls of the program's own functions, and the program's calls of functions in `LIBRARIES`, are recorded.
    """

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self._folder = folder
        self._depths: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, argument: t.Any) -> None:
        """Record a call of a function of the program, or a call from the program into a library.

        The lookups of proxies and cached properties (`_LOOKUPS`) are omitted. Lambdas and generator expressions are
        omitted at module level, but recorded inside a function or a class. Before Python 3.12, this is also true for
        other comprehensions. Since Python 3.12, these are not calls.
        """
        name = frame.f_code.co_qualname.replace("<locals>.", "")
        if event != "call" or name.startswith("<") or name in _LOOKUPS:
            return
        where = self._where(frame)
        caller = frame.f_back
        is_ours = where.endswith(".py")
        # Calls inside a library are omitted, unless they lead back to the program.
        if not where or not (is_ours or caller in self._depths):
            return
        depth = 1 + max((self._depths[each] for each in self._callers(caller)), default=-1)
        if is_ours:
            self._depths[frame] = depth
        self.lines.append(f"{'  ' * depth + name:50}{where}".rstrip())

    def _callers(self, frame: FrameType | None) -> Iterator[FrameType]:
        while frame is not None:
            if frame in self._depths:
                yield frame
            frame = frame.f_back

    def _where(self, frame: FrameType) -> str:
        file = Path(frame.f_code.co_filename)
        if file.parent == self._folder:
            return file.name
        return next((name for name in LIBRARIES if name in file.parts), "")


def calls_of(ask: Callable[[], object], folder: Path) -> list[str]:
    """Call `ask`, which sends the request. Return a line for each call that `CallTrace` records.

    These are calls of functions of the programs in `folder`, and calls from these programs into `LIBRARIES`.
    """
    seen, before = CallTrace(folder), sys.getprofile()
    sys.setprofile(seen)
    try:
        ask()
    finally:
        sys.setprofile(before)
    return seen.lines
