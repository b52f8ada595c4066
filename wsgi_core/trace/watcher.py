"""Report when certain functions start and end, without changing them.

On Python 3.12 and newer by `sys.monitoring`: the interpreter reports the watched code objects and nothing
else runs slower. On 3.11 by `sys.setprofile`, which reports every call of the thread: times come out longer.
Only what runs in the context (`contextvars`) of the watching counts, so that other threads' requests are left
out, and an async view in the thread that asgiref gives it is not.
"""

from __future__ import annotations

import sys
import threading
import typing as t
from contextvars import ContextVar, Token
from types import CodeType, FrameType

Started = t.Callable[[CodeType, FrameType], None]
Ended = t.Callable[[CodeType, t.Any, bool], None]

_watching: ContextVar[object] = ContextVar("wsgi_core.trace.watching")


class BaseWatcher:
    """Calls ``started(code, frame)`` and ``ended(code, value, raised)`` for each call of a watched code object.

    An error in these two must not reach the program that is watched: it is kept, and raised by `stop`.
    Generator functions can't be watched: calling one runs nothing of it.
    """

    def __init__(self, started: Started, ended: Ended) -> None:
        self._started = started
        self._ended = ended
        self._codes: dict[int, CodeType] = {}
        self._error: Exception | None = None
        self._token: Token[object] | None = None

    def watch(self, code: CodeType) -> None:
        """Report calls of ``code`` from now on."""
        # By identity: equal code objects may stand at the same line of two files.
        if id(code) not in self._codes:
            self._codes[id(code)] = code
            if self._token is not None:
                self._switch(code, True)

    def start(self) -> None:
        """Begin to report. RuntimeError if the interpreter has no room for one more tool."""
        self._install()
        for code in self._codes.values():
            self._switch(code, True)
        self._token = _watching.set(self)

    def stop(self) -> None:
        """Report nothing more; in the context in which `start` was called."""
        assert self._token is not None
        _watching.reset(self._token)
        self._token = None
        for code in self._codes.values():
            self._switch(code, False)
        self._remove()
        if self._error is not None:
            raise RuntimeError("The trace failed to follow the request.") from self._error

    def _is_watched(self, code: CodeType) -> bool:
        return id(code) in self._codes and _watching.get(None) is self

    def _report_start(self, code: CodeType, frame: FrameType) -> None:
        try:
            self._started(code, frame)
        except Exception as e:
            self._error = e

    def _report_end(self, code: CodeType, value: t.Any, raised: bool) -> None:
        try:
            self._ended(code, value, raised)
        except Exception as e:
            self._error = e

    def _install(self) -> None:
        raise NotImplementedError

    def _remove(self) -> None:
        raise NotImplementedError

    def _switch(self, code: CodeType, on: bool) -> None:
        """Tell the interpreter about one code object."""


if sys.version_info >= (3, 12):
    # 0 to 2 and 5 are spoken for: debuggers, coverage, profilers, optimizers.
    _FREE_TOOL_IDS = (3, 4)

    class Watcher(BaseWatcher):
        """Watches by `sys.monitoring` (PEP 669)."""

        def _install(self) -> None:
            monitoring = sys.monitoring
            free = [i for i in _FREE_TOOL_IDS if monitoring.get_tool(i) is None]
            if not free:
                raise RuntimeError("Other tools use all of sys.monitoring's free places.")
            self._tool = free[0]
            monitoring.use_tool_id(self._tool, "wsgi_core.trace")
            events = monitoring.events
            monitoring.register_callback(self._tool, events.PY_START, self._on_start)
            monitoring.register_callback(self._tool, events.PY_RETURN, self._on_return)
            monitoring.register_callback(self._tool, events.PY_UNWIND, self._on_unwind)
            # This one can't be had for single code objects.
            monitoring.set_events(self._tool, events.PY_UNWIND)

        def _switch(self, code: CodeType, on: bool) -> None:
            events = sys.monitoring.events
            wanted = events.PY_START | events.PY_RETURN if on else events.NO_EVENTS
            sys.monitoring.set_local_events(self._tool, code, wanted)

        def _remove(self) -> None:
            events = sys.monitoring.events
            sys.monitoring.set_events(self._tool, events.NO_EVENTS)
            for event in (events.PY_START, events.PY_RETURN, events.PY_UNWIND):
                sys.monitoring.register_callback(self._tool, event, None)
            sys.monitoring.free_tool_id(self._tool)

        def _on_start(self, code: CodeType, offset: int) -> None:
            if self._is_watched(code):
                self._report_start(code, sys._getframe(1))

        def _on_return(self, code: CodeType, offset: int, value: t.Any) -> None:
            if self._is_watched(code):
                self._report_end(code, value, False)

        def _on_unwind(self, code: CodeType, offset: int, error: BaseException) -> None:
            if self._is_watched(code):
                self._report_end(code, None, True)

else:
    import dis

    _RETURN = dis.opmap["RETURN_VALUE"]
    _YIELD = dis.opmap["YIELD_VALUE"]

    class Watcher(BaseWatcher):
        """Watches by `sys.setprofile`. Another profiler of this thread sees nothing meanwhile."""

        def _install(self) -> None:
            # Coroutines that wait: the interpreter reports each of their resumptions as a call.
            self._suspended: set[int] = set()
            self._previous = sys.getprofile(), threading.getprofile()
            threading.setprofile(self._on_event)
            sys.setprofile(self._on_event)

        def _remove(self) -> None:
            here, in_new_threads = self._previous
            sys.setprofile(here)
            threading.setprofile(t.cast(t.Any, in_new_threads))

        def _on_event(self, frame: FrameType, event: str, value: t.Any) -> None:
            code = frame.f_code
            if not self._is_watched(code):
                return
            if event == "call":
                if id(frame) in self._suspended:
                    self._suspended.remove(id(frame))
                else:
                    self._report_start(code, frame)
            elif event == "return":
                # "return" is reported for an exception, too; only the last instruction tells.
                last = code.co_code[frame.f_lasti]
                if last == _YIELD:
                    self._suspended.add(id(frame))
                else:
                    self._report_end(code, value, last != _RETURN)
