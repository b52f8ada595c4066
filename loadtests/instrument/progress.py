"""Run steps with a progress bar and the remaining time. Without a terminal, print one plain line for each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class Step:
    """A part of a run. ``run`` takes about ``seconds``, and stores its own result.

    If ``may_be_skipped`` is true, the step is skipped when there is not enough time for it. If ``always`` is true, the
    step runs again when an interrupted run is resumed.
    """

    label: str
    seconds: float
    run: Callable[[], None]
    may_be_skipped: bool = False
    always: bool = False


def duration(seconds: float) -> str:
    """Return a duration as text: below two minutes in seconds (``"75 s"``), otherwise in minutes (``"4 min"``)."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def run_steps(
    steps: Sequence[Step], console: Console, after_each: Callable[[], None], deadline: float | None = None
) -> int:
    """Run the steps in order, and call ``after_each`` after each step. Return the number of skipped steps.

    If ``deadline`` is above 0, a step whose ``may_be_skipped`` is true is skipped if it would end more than
    ``deadline`` seconds from now. If the steps so far took longer than planned, the next steps are expected to take
    longer too.
    """
    planned, skipped, started = 0.0, 0, time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden, speed_estimate_period=math.inf) as bar:
        task = bar.add_task("", total=sum(step.seconds for step in steps))
        for number, step in enumerate(steps, start=1):
            elapsed = time.monotonic() - started
            stretch = max(1.0, elapsed / planned) if planned else 1.0
            if deadline and step.may_be_skipped and elapsed + step.seconds * stretch > deadline:
                skipped += 1
                continue
            bar.update(task, description=step.label)
            if hidden:
                console.print(f"[{number}/{len(steps)}] {step.label}", markup=False)
            step.run()
            after_each()
            planned += step.seconds
            bar.update(task, completed=planned)
    return skipped
