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
    """A part of the run that takes about ``seconds`` and stores its own result.

    If ``may_be_skipped`` is true, the step is skipped when there is not enough time for it. If ``always`` is true, the
    step runs again when an interrupted run is resumed.
    """

    label: str
    seconds: float
    run: Callable[[], None]
    may_be_skipped: bool = False
    always: bool = False


def duration(seconds: float) -> str:
    """Return a duration as text: in seconds below two minutes (``"75 s"``), otherwise in minutes (``"4 min"``)."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def run_steps(
    steps: Sequence[Step], console: Console, after_each: Callable[[], None], deadline: float | None = None
) -> int:
    """Run the steps in order, and call ``after_each`` after each step. An exception ends the run.

    A step that may be skipped is skipped if it would end later than ``deadline`` seconds from now. If ``deadline`` is 0
    or None, no step is skipped. If the steps so far took longer than planned, each further step is expected to take
    longer in the same proportion. Return the number of skipped steps.
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
