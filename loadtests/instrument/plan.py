"""A plan of steps that can be interrupted and resumed. The labels of the steps tell which of them are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter

from rich.console import Console

from loadtests.instrument.progress import Step, run_steps

Placed = tuple[float, Step]
# The minimum number of repetitions of each kind, which are never skipped.
NEEDED = 3


def repeated(label: str, times: int, seconds: float, run: Callable[[int], None]) -> list[Placed]:
    """Return ``times`` steps with their positions in the run, from 0 to 1. ``run`` gets the number, from 0."""
    return [
        ((index + 0.5) / times, Step(f"{label}, {index + 1} of {times}", seconds, partial(run, index), index >= NEEDED))
        for index in range(times)
    ]


def spread_out(kinds: Iterable[Sequence[Placed]]) -> list[Step]:
    """Return all steps, with each kind spread evenly over the run, so that a drift affects all kinds alike."""
    return [step for _, step in sorted((place for kind in kinds for place in kind), key=itemgetter(0))]


class Plan:
    """Steps, and the labels of those that are done. The caller stores the labels in a file."""

    def __init__(self, steps: Sequence[Step], done: list[str]) -> None:
        self.done = done
        self.all = _with_keys(steps)
        self.left = [(key, step) for key, step in self.all if key not in done]

    @property
    def seconds(self) -> float:
        """The planned duration of the steps that are not done yet."""
        return sum(step.seconds for _, step in self.left)

    @property
    def finished(self) -> bool:
        """Whether no step is left except those that always run."""
        return all(step.always for _, step in self.left)

    def carry_out(self, console: Console, keep: Callable[[], None], deadline: float | None = None) -> int:
        """Run the remaining steps. ``keep`` writes the file. Return how many were skipped to meet the deadline."""
        steps = [replace(step, run=partial(self._carry_out, key, step)) for key, step in self.left]
        return run_steps(steps, console, keep, deadline)

    def _carry_out(self, key: str, step: Step) -> None:
        step.run()
        if not step.always:
            self.done.append(key)


def _with_keys(steps: Sequence[Step]) -> list[tuple[str, Step]]:
    """Return the steps with unique labels. If a label occurs more than once (as with two loads), a number is added."""
    seen: Counter[str] = Counter()
    keyed = []
    for step in steps:
        seen[step.label] += 1
        keyed.append((f"{step.label} #{seen[step.label]}" if seen[step.label] > 1 else step.label, step))
    return keyed
