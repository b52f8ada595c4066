"""How long the events of a trace take: one run says little, the median of many says more."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .events import Trace


def set_median_times(trace: Trace, runs: Sequence[Trace]) -> None:
    """Give each event the median times of the runs in which the same events happened; of none, leave its own."""
    same = [run.events for run in runs if [event.key for event in run.events] == [event.key for event in trace.events]]
    for index, event in enumerate(trace.events if same else ()):
        event.start_us = median(events[index].start_us for events in same)
        event.duration_us = median(events[index].duration_us for events in same)
