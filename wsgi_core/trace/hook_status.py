"""Which of the app's functions a request has been through, which are still to come, and which never run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .events import Event, HookName


@dataclass(frozen=True, slots=True)
class HookStatus:
    """A function that the app registered. ``state``: done, now, to come, or never runs."""

    kind: str
    name: str
    state: str


def hooks_at(events: Sequence[Event], index: int) -> list[HookStatus]:
    """Return the hooks as they stand at one event, in the order in which a request passes them."""
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
    """Return the first and one past the last event of the request that an event belongs to."""
    starts = [i for i, event in enumerate(events) if event.kind == "request received"]
    first = max((i for i in starts if i <= index), default=0)
    return first, min((i for i in starts if i > index and i > starts[0]), default=len(events))
