"""The times of many runs are combined in one trace."""

from __future__ import annotations

from wsgi_core.trace import Event, Trace
from wsgi_core.trace.times import set_median_times


def of(*times: float, name: str = "") -> Trace:
    """Return a trace with one event for each time."""
    return Trace("", [Event("view", name, start_us=each, duration_us=each) for each in times])


def test_times_are_medians_of_the_runs_with_the_same_events() -> None:
    seen = of(50, 50)
    set_median_times(seen, [of(1, 2), of(3, 4), of(100, 100), of(7), of(1, 1, name="other")])
    assert [(event.start_us, event.duration_us) for event in seen.events] == [(3, 3), (4, 4)]


def test_a_trace_keeps_its_times_if_no_run_has_the_same_events() -> None:
    for runs in ([], [of(9)], [of(9, 9, name="other")]):
        seen = of(3, 4)
        set_median_times(seen, runs)
        assert [event.duration_us for event in seen.events] == [3, 4]
