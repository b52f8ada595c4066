"""Convert the starts and ends of function calls into the events of a trace."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from types import CodeType, FrameType, GeneratorType
from weakref import WeakSet

from .events import Event, Snapshot
from .hooks import REGISTERING, Hook, choose, first_exception, function_name, is_generator_function
from .observer import Observer
from .phases import Call, Phase, WatchList, receives, response_headers
from .source_paths import short_path
from .watcher import Watcher

_NO_PHASE = Phase("")
# These events are recorded just before they take effect. Their snapshots show the state just after this.
_SNAPSHOT_AFTER_EFFECT = (
    "app context pushed", "request context pushed", "session opened", "request context popped", "app context popped",
)  # fmt: skip


class Recorder:
    """Records the events of one app. If `observer` is given, each event has a snapshot."""

    def __init__(self, watch_list: WatchList, observer: Observer | None = None) -> None:
        self.events: list[Event] = []
        self.observer = observer
        self._watch_list = watch_list
        self._observing = 0
        self._pending_snapshot: tuple[Event, FrameType | None] | None = None
        self._calls: list[Call] = []
        self._seen: WeakSet[t.Any] = WeakSet()
        self._began = perf_counter_ns()
        self._watcher = Watcher(self._started, self._ended)
        for code in watch_list.codes.values():
            self._watch(code)

    def start(self) -> None:
        self._began = perf_counter_ns()
        self._watcher.start()

    def stop(self) -> None:
        """Stop recording. Raises RuntimeError if an error inside the recorder has made the trace incomplete."""
        self._watcher.stop()
        self._complete_snapshot()

    def now(self) -> int:
        """Return the current time in nanoseconds, without the time that has been spent on snapshots."""
        return perf_counter_ns() - self._observing

    def _watch(self, code: CodeType) -> None:
        if not is_generator_function(code):
            self._watcher.watch(code)

    # What the caller of the app sees

    @contextmanager
    def span(self, kind: str, name: str) -> Iterator[Event]:
        """Record an event that lasts as long as the ``with`` block. The events in the block are inside this event."""
        call = Call(None, Phase(kind), self.now())
        call.event = Event(kind, name)
        self._append(call, call.event)
        self._calls.append(call)
        try:
            yield call.event
        finally:
            self._calls.remove(call)
            self._set_duration(call, call.event)

    def point(
        self, kind: str, name: str = "", detail: str = "", began: int | None = None, frame: FrameType | None = None
    ) -> None:
        """Record an event that has just ended.

        `began` is the result of `now` at the start of the event. Without it, the duration is about 0. `frame` is the
        frame that caused the event.
        """
        call = Call(None, _NO_PHASE, began or self.now(), frame=frame)
        event = Event(kind, name, detail)
        self._append(call, event)
        self._set_duration(call, event)

    # What the watcher reports

    def _started(self, code: CodeType, frame: FrameType) -> None:
        self._complete_snapshot()
        parent = self._calls[-1] if self._calls else Call(None, _NO_PHASE, 0)
        role = self._find_role(code, frame, parent)
        phase = role if isinstance(role, Phase) else _NO_PHASE
        if phase.name != parent.phase.after:
            self._record_pending(parent)
        call = Call(code, phase, self.now(), frame=frame)
        if isinstance(role, Hook):
            call.event = self._hook_event(role, frame)
            self._append(call, call.event)
        elif phase.name in REGISTERING:
            self._add_late_hook(phase.name, frame.f_locals["f" if "f" in frame.f_locals else "func"])
        elif phase is not _NO_PHASE and phase.name != parent.phase.name:
            self._start_phase(call, frame)
        self._calls.append(call)

    def _ended(self, code: CodeType, value: t.Any, raised: bool) -> None:
        self._complete_snapshot()
        if self.observer is not None:
            self.observer.see(value)
        depth = next((i for i in reversed(range(len(self._calls))) if self._calls[i].code is code), None)
        if depth is None:
            return  # the call began before the recording started
        call = self._calls[depth]
        del self._calls[depth:]
        call.value, call.raised = value, raised
        self._add_generator_hook(call)
        self._end_call(call)
        parent = self._calls[-1] if self._calls else None
        if parent is not None and parent.phase.after == call.phase.name:
            # If the inner phase raised, a push fails, and has no event. A pop continues.
            if raised and parent.phase.name.endswith(".push"):
                parent.pending = None
            self._record_pending(parent)

    def _find_role(self, code: CodeType, frame: FrameType, parent: Call) -> Phase | Hook | None:
        """Return the phase or the hook that this call runs, or None if it runs neither.

        A view that another view calls is not a hook here, because the framework did not call it.
        """
        roles, inside = self._watch_list.roles.get(id(code), ()), parent.phase.name
        for role in roles:
            if isinstance(role, Phase) and role.inside in ("", inside):
                return role
        hooks = [role for role in roles if isinstance(role, Hook) and inside in role.phases]
        if len(hooks) < 2:
            return hooks[0] if hooks else None
        return choose(hooks, frame, parent.frame, self._watch_list.request.endpoint)

    # Phases

    def _start_phase(self, call: Call, frame: FrameType) -> None:
        call.arguments = dict(frame.f_locals)
        call.before = response_headers(call)
        if self.observer is not None:
            self.observer.see(call.arguments.get("response"))
        if not call.phase.kind or call.phase.at_end:
            return
        event = self._phase_event(call)
        if event is None:
            return
        if call.phase.after:
            call.pending = event
        else:
            call.event = event
            self._append(call, event)

    def _record_pending(self, call: Call) -> None:
        if call.pending is not None:
            call.event, call.pending = call.pending, None
            self._append(call, call.event)

    def _end_call(self, call: Call) -> None:
        if call.raised and call.phase.name.endswith(".push"):
            call.pending = None
        self._record_pending(call)
        if call.phase.at_end and call.arguments and not (call.raised and call.phase.name == "finalize_request"):
            self._end_phase(call)
        event = call.event
        if event is None:
            return
        self._set_duration(call, event)
        if call.raised:
            event.add_detail("raises")
        elif event.kind == "before_request" and call.value is not None:
            event.add_detail("answers")

    def _end_phase(self, call: Call) -> None:
        event = self._phase_event(call)
        if event is None or (call.phase.once and self._was_seen(self._calls[-1].arguments["self"])):
            return
        call.event = event
        self._append(call, event)

    def _phase_event(self, call: Call) -> Event | None:
        described = call.phase.describe(call)
        if described is None:
            return None
        event = Event(call.phase.kind, *described, note=call.phase.note)
        if self._watch_list.is_foreign(call):
            event.add_detail("another app")
        return event

    def _was_seen(self, ctx: t.Any) -> bool:
        seen = ctx in self._seen
        self._seen.add(ctx)
        return seen

    # Hooks

    def _hook_event(self, hook: Hook, frame: FrameType) -> Event:
        event = Event(hook.kind, hook.name)
        scopes = ["app" if not scope else f"blueprint {scope}" for scope in hook.scopes]
        if scopes != ["app"] and scopes:
            event.add_detail(", ".join(scopes))
        if hook.kind in ("error handler", "teardown_request", "teardown_appcontext"):
            event.add_detail(receives(first_exception(frame)))
        return event

    def _add_late_hook(self, registered_by: str, function: t.Any) -> None:
        kind, phases = REGISTERING[registered_by]
        code = self._watch_list.add_hook(Hook(kind, function_name(function), phases, function))
        if code is not None:
            self._watch(code)

    def _add_generator_hook(self, call: Call) -> None:
        """If the phase that has just ended returned the generator of a hook, record an event for this hook.

        The watcher does not report such a hook, because calling a generator function runs none of its code.
        """
        code = call.value.gi_code if isinstance(call.value, GeneratorType) else None
        for role in self._watch_list.roles.get(id(code), ()):
            if isinstance(role, Hook) and call.phase.name in role.phases:
                made = Call(code, _NO_PHASE, self.now())
                event = Event(role.kind, role.name, note="a generator, which runs while the body is sent")
                self._append(made, event)
                return

    # Events

    def _append(self, call: Call, event: Event) -> None:
        if call.code is not None:
            event.file, event.line = short_path(call.code.co_filename), call.code.co_firstlineno
        event.start_us = (call.began - self._began) / 1000
        event.depth = sum(1 for outer in self._calls if outer.event is not None and outer is not call)
        self._complete_snapshot()
        self.events.append(event)
        if self.observer is not None:
            event.snapshot = self._take_snapshot(call.frame)
            if event.kind in _SNAPSHOT_AFTER_EFFECT:
                self._pending_snapshot = event, call.frame

    def _take_snapshot(self, frame: FrameType | None) -> Snapshot:
        assert self.observer is not None
        began = perf_counter_ns()
        try:
            return self.observer.take_snapshot(frame)
        finally:
            self._observing += perf_counter_ns() - began

    def _complete_snapshot(self) -> None:
        """Take the snapshot of the last event again, if the event has taken effect only after the first snapshot."""
        if self._pending_snapshot is not None:
            event, frame = self._pending_snapshot
            self._pending_snapshot = None
            event.snapshot = self._take_snapshot(frame)

    def _set_duration(self, call: Call, event: Event) -> None:
        event.duration_us = (self.now() - call.began) / 1000
