"""Median times of events over many runs, because the times of a single run vary too much."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .events import Trace


def set_median_times(trace: Trace, runs: Sequence[Trace]) -> None:
    """Set the times of each event of `trace` to the median over the runs with the same events.

    If no run has the same events, the times do not change.
    """
    same = [run.events for run in runs if [event.key for event in run.events] == [event.key for event in trace.events]]
    for index, event in enumerate(trace.events if same else ()):
        event.start_us = median(events[index].start_us for events in same)
        event.duration_us = median(events[index].duration_us for events in same)
