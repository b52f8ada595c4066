"""The status of each hook at one event: whether the hook has begun, begins now, begins later, or never runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .events import Event, HookName


@dataclass(frozen=True, slots=True)
class HookStatus:
    """The status of a hook at one event of a trace. A hook is a function that the app registered.

    `state` is "now" if the event is the start of the hook. Otherwise, `state` is "done" if the hook began before the
    event, "to come" if it begins after the event, and "never runs" if it does not begin. Hooks with the same kind and
    name are not told apart.
    """

    kind: str
    name: str
    state: str


def hooks_at(events: Sequence[Event], index: int) -> list[HookStatus]:
    """Return the status of each hook of the request at one event, in the order of execution.

    `index` is the index of the event in `events`. If the event has no snapshot, return [].
    """
    snapshot = events[index].snapshot
    if snapshot is None:
        return []
    first, last = _request_around(events, index)
    before = {_name(event) for event in events[first:index]}
    later = {_name(event) for event in events[index + 1 : last]}
    return [HookStatus(*hook, _state(hook, _name(events[index]), before, later)) for hook in snapshot.hooks]


def _state(hook: HookName, now: HookName, before: set[HookName], later: set[HookName]) -> str:
    if hook == now:
        return "now"
    if hook in before:
        return "done"
    return "to come" if hook in later else "never runs"


def _name(event: Event) -> HookName:
    return event.kind, event.name


def _request_around(events: Sequence[Event], index: int) -> tuple[int, int]:
    """Find the request to which the event at `index` belongs.

    Return the index of the request's first event, and the index after its last event.
    """
    starts = [i for i, event in enumerate(events) if event.kind == "request received"]
    first = max((i for i in starts if i <= index), default=0)
    return first, min((i for i in starts if i > index and i > starts[0]), default=len(events))
