"""Median times of the events of a trace, because the times of a single run vary too much."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .events import Trace


def set_median_times(trace: Trace, runs: Sequence[Trace]) -> None:
    """Set the times of each event of `trace` to the medians of this event's times in `runs`.

    Only runs with the same events as `trace` are used. If there is no such run, the times do not change.
    """
    same = [run.events for run in runs if [event.key for event in run.events] == [event.key for event in trace.events]]
    for index, event in enumerate(trace.events if same else ()):
        event.start_us = median(events[index].start_us for events in same)
        event.duration_us = median(events[index].duration_us for events in same)
