"""Report when certain functions start and end, without changing them.

On Python 3.12 and newer, `sys.monitoring` reports the starts and the returns of watched functions only. On Python 3.11,
`sys.setprofile` reports every call of the thread, so the measured times are longer.

A watcher reports only calls in the `contextvars` context in which it was started. So requests in other threads are
ignored. An async view is reported, because asgiref runs it in another thread with a copy of the context.
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
    """Calls ``started(code, frame)`` and ``ended(code, value, raised)`` when a watched function starts and ends.

    An exception in these callbacks does not reach the watched program. Instead, `stop` raises a RuntimeError, whose
    cause is this exception. Generator functions must not be watched, because calling them runs none of their code.
    """

    def __init__(self, started: Started, ended: Ended) -> None:
        self._started = started
        self._ended = ended
        self._codes: dict[int, CodeType] = {}
        self._error: Exception | None = None
        self._token: Token[object] | None = None

    def watch(self, code: CodeType) -> None:
        """Report calls of `code` from now on, or after `start` if the watcher has not been started yet."""
        # The key is the identity, because code objects at the same line of two files may be equal.
        if id(code) not in self._codes:
            self._codes[id(code)] = code
            if self._token is not None:
                self._switch(code, True)

    def start(self) -> None:
        """Start to report calls. Raises RuntimeError if `sys.monitoring` has no free tool ID."""
        self._install()
        for code in self._codes.values():
            self._switch(code, True)
        self._token = _watching.set(self)

    def stop(self) -> None:
        """Stop reporting calls. `stop` must be called in the same `contextvars` context as `start`.

        Raises RuntimeError if a callback raised an exception.
        """
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
        """Turn the reports about one code object on or off."""


if sys.version_info >= (3, 12):
    # The IDs 0 to 2 and 5 are reserved for debuggers, coverage, profilers and optimizers.
    _FREE_TOOL_IDS = (3, 4)

    class Watcher(BaseWatcher):
        """A watcher that uses `sys.monitoring` (PEP 669)."""

        def _install(self) -> None:
            monitoring = sys.monitoring
            free = [i for i in _FREE_TOOL_IDS if monitoring.get_tool(i) is None]
            if not free:
                raise RuntimeError("Other tools use all tool IDs of sys.monitoring.")
            self._tool = free[0]
            monitoring.use_tool_id(self._tool, "wsgi_core.trace")
            events = monitoring.events
            monitoring.register_callback(self._tool, events.PY_START, self._on_start)
            monitoring.register_callback(self._tool, events.PY_RETURN, self._on_return)
            monitoring.register_callback(self._tool, events.PY_UNWIND, self._on_unwind)
            # PY_UNWIND cannot be enabled for single code objects.
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
        """A watcher that uses `sys.setprofile`. While it runs, other profilers of the thread are off."""

        def _install(self) -> None:
            # The frames of suspended coroutines. When a coroutine resumes, the interpreter reports a call again.
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
                # "return" is also reported for an exception. The last instruction tells the two cases apart.
                last = code.co_code[frame.f_lasti]
                if last == _YIELD:
                    self._suspended.add(id(frame))
                else:
                    self._report_end(code, value, last != _RETURN)
