"""Record the function calls of a program of the course while it answers a request.

A call is recorded if the called function is in a program of the course. The call of a function in `LIBRARIES` is
recorded only if a program of the course makes the call.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

LIBRARIES = ("werkzeug", "blinker", "itsdangerous")
# Functions that run at each use of a proxy or a cached property. They would hide the other calls.
_LOOKUPS = {"_ProxyLookup.__get__", "cached_property.__get__"}


class CallTrace:
    """A profile function for `sys.setprofile`. `lines` has one line for each recorded call, indented by its depth.

    `folder` is the folder of the programs.
    """

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self._folder = folder
        self._depths: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, argument: t.Any) -> None:
        """Record the call that has just begun in `frame`. The module's docstring says which calls are recorded.

        The lookups in `_LOOKUPS` are not recorded. Neither is code whose qualified name begins with ``<``, such as a
        module or a lambda at module level.
        """
        name = frame.f_code.co_qualname.replace("<locals>.", "")
        if event != "call" or name.startswith("<") or name in _LOOKUPS:
            return
        where = self._where(frame)
        caller = frame.f_back
        is_ours = where.endswith(".py")
        # A call from library to library is omitted. A call from a library back to the program is recorded.
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
    """Call `ask`, which sends the request. Return the lines of the calls that `CallTrace` records meanwhile.

    `folder` is the folder of the program that answers.
    """
    seen, before = CallTrace(folder), sys.getprofile()
    sys.setprofile(seen)
    try:
        ask()
    finally:
        sys.setprofile(before)
    return seen.lines
