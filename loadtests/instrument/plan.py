"""A plan of steps that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter

from rich.console import Console

from loadtests.instrument.progress import Step, run_steps

Placed = tuple[float, Step]
# How many repetitions of each kind of step are never skipped.
NEEDED = 3


def repeated(label: str, times: int, seconds: float, run: Callable[[int], None]) -> list[Placed]:
    """Return ``times`` steps, each with its position in the run, from 0 (begin) to 1 (end).

    Each step calls ``run`` with the number of the step, counted from 0. The first ``NEEDED`` steps are never skipped.
    """
    return [
        ((index + 0.5) / times, Step(f"{label}, {index + 1} of {times}", seconds, partial(run, index), index >= NEEDED))
        for index in range(times)
    ]


def spread_out(kinds: Iterable[Sequence[Placed]]) -> list[Step]:
    """Return the steps of all kinds as one list, sorted by their positions in the run.

    The positions of each kind are spread evenly from 0 (begin) to 1 (end). So the kinds alternate, and a drift of the
    machine affects all kinds alike.
    """
    return [step for _, step in sorted((place for kind in kinds for place in kind), key=itemgetter(0))]


class Plan:
    """The steps of a run. Each step has its own label.

    ``done`` has the labels of the completed steps, except steps whose ``always`` is true. ``left`` has the steps that
    were not completed when the plan was made.
    """

    def __init__(self, steps: Sequence[Step], done: list[str]) -> None:
        self.done = done
        self.left = [step for step in steps if step.label not in done]

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.left)

    @property
    def finished(self) -> bool:
        """Whether the plan is complete: each step in ``left`` runs again in every resumed run (``Step.always``)."""
        return all(step.always for step in self.left)

    def carry_out(self, console: Console, keep: Callable[[], None], deadline: float | None = None) -> int:
        """Run the steps in ``left``. After each step, call ``keep``. Return the number of skipped steps.

        If ``deadline`` is above 0, a step that is expected to end more than ``deadline`` seconds from now is skipped if
        its ``may_be_skipped`` is true.
        """
        steps = [replace(step, run=partial(self._carry_out, step)) for step in self.left]
        return run_steps(steps, console, keep, deadline)

    def _carry_out(self, step: Step) -> None:
        step.run()
        if not step.always:
            self.done.append(step.label)
