"""A plan of steps that can be interrupted and resumed. It records the keys of the steps that are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter

from rich.console import Console

from loadtests.instrument.progress import Step, run_steps

Placed = tuple[float, Step]
# This number of first repetitions of each kind of step is never skipped.
NEEDED = 3


def repeated(label: str, times: int, seconds: float, run: Callable[[int], None]) -> list[Placed]:
    """Return ``times`` steps with their positions in the run, from 0 to 1.

    Each step calls ``run`` with the number of the step, counted from 0.
    """
    return [
        ((index + 0.5) / times, Step(f"{label}, {index + 1} of {times}", seconds, partial(run, index), index >= NEEDED))
        for index in range(times)
    ]


def spread_out(kinds: Iterable[Sequence[Placed]]) -> list[Step]:
    """Return all steps in the order of their positions: each kind is spread evenly over the run.

    A drift of the machine then affects all kinds alike.
    """
    return [step for _, step in sorted((place for kind in kinds for place in kind), key=itemgetter(0))]


class Plan:
    """Steps, and the keys of the steps that are done. The caller stores the keys in a file."""

    def __init__(self, steps: Sequence[Step], done: list[str]) -> None:
        self.done = done
        self.all = _with_keys(steps)
        self.left = [(key, step) for key, step in self.all if key not in done]

    @property
    def seconds(self) -> float:
        """The planned duration in seconds of the steps that are not done yet."""
        return sum(step.seconds for _, step in self.left)

    @property
    def finished(self) -> bool:
        """Whether no step is left except those that always run."""
        return all(step.always for _, step in self.left)

    def carry_out(self, console: Console, keep: Callable[[], None], deadline: float | None = None) -> int:
        """Run the remaining steps. After each step, call ``keep`` to write the file.

        Return the number of steps that were skipped because of ``deadline``.
        """
        steps = [replace(step, run=partial(self._carry_out, key, step)) for key, step in self.left]
        return run_steps(steps, console, keep, deadline)

    def _carry_out(self, key: str, step: Step) -> None:
        step.run()
        if not step.always:
            self.done.append(key)


def _with_keys(steps: Sequence[Step]) -> list[tuple[str, Step]]:
    """Return each step with a unique key: its label or, if the label is repeated, the label and #2, #3, ..."""
    seen: Counter[str] = Counter()
    keyed = []
    for step in steps:
        seen[step.label] += 1
        keyed.append((f"{step.label} #{seen[step.label]}" if seen[step.label] > 1 else step.label, step))
    return keyed
