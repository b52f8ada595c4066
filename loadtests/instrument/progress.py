"""Run steps with a progress bar and the remaining time. Without a terminal, print one plain line for each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text


@dataclass(frozen=True)
class Step:
    """A part of the run that takes about ``seconds`` and stores its own result.

    A step that ``may_be_skipped`` is skipped if there is not enough time for it. A step with ``always`` runs again when
    an interrupted run is resumed.
    """

    label: str
    seconds: float
    run: Callable[[], None]
    may_be_skipped: bool = False
    always: bool = False


class TimeLeft(ProgressColumn):
    """A column with the remaining planned time, multiplied by the ratio of actual to planned time so far.

    A ratio below 1 counts as 1.
    """

    def render(self, task: Task) -> Text:
        """Return the text of the column (overrides Rich's method)."""
        left = max(0.0, (task.total or 0.0) - task.completed) * float(task.fields["stretch"])
        return Text(f"{duration(left)} left")


class StepProgress(Progress):
    """A progress bar that moves with the clock, because a step does not report its own progress."""

    _planned = _seconds = _began = 0.0

    def begin(self, planned: float, seconds: float) -> None:
        """Begin a step with the planned duration ``seconds``.

        ``planned`` is the total planned duration of the steps that have run.
        """
        self._planned, self._seconds, self._began = planned, seconds, time.monotonic()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar with its current progress (overrides Rich's method, which is called at each refresh)."""
        for task in self.tasks:
            task.completed = self._planned + min(time.monotonic() - self._began, self._seconds)
        return super().get_renderables()


def duration(seconds: float) -> str:
    """Return a duration as text: in seconds below two minutes (``"75 s"``), otherwise in minutes (``"4 min"``)."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def run_steps(
    steps: Sequence[Step], console: Console, after_each: Callable[[], None], deadline: float | None = None
) -> int:
    """Run the steps in order, and call ``after_each`` after each step. An exception ends the run.

    A step that may be skipped is skipped if it would end later than ``deadline`` seconds from now. Return the number of
    skipped steps.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeLeft())
    hidden = not console.is_terminal
    with StepProgress(*columns, console=console, transient=True, refresh_per_second=4, disable=hidden) as progress:
        return _run_with_bar(steps, progress, after_each, deadline or math.inf)


def _run_with_bar(
    steps: Sequence[Step], progress: StepProgress, after_each: Callable[[], None], deadline: float
) -> int:
    bar = progress.add_task("", total=sum(step.seconds for step in steps), stretch=1.0)
    planned, left_out, started = 0.0, 0, time.monotonic()
    for number, step in enumerate(steps, start=1):
        elapsed = time.monotonic() - started
        stretch = max(1.0, elapsed / planned) if planned else 1.0
        if step.may_be_skipped and elapsed + step.seconds * stretch > deadline:
            left_out += 1
            continue
        progress.update(bar, description=step.label, stretch=stretch)
        if progress.disable:
            progress.console.print(f"[{number}/{len(steps)}] {step.label}", markup=False)
        progress.begin(planned, step.seconds)
        step.run()
        after_each()
        planned += step.seconds
    return left_out
