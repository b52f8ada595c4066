"""Align the events of two traces in rows, and mark the rows in which the events differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .events import Event


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a comparison: a left event, a right event, or both."""

    left: Event | None
    right: Event | None

    @property
    def equal(self) -> bool:
        """Whether the row has two equal events."""
        return self.left == self.right

    @property
    def mark(self) -> str:
        """The mark of the row.

        The mark is a space if the events are equal, ``<`` if there is only a left event, ``>`` if there is only a right
        event, and ``!`` if the events differ.
        """
        if self.equal:
            return " "
        if self.left is None:
            return ">"
        return "<" if self.right is None else "!"

    @property
    def event(self) -> Event:
        """The left event, or the right event if there is no left event."""
        event = self.left or self.right
        assert event is not None
        return event


def compare(left: Sequence[Event], right: Sequence[Event]) -> list[Row]:
    """Return the events of two traces, aligned in rows. The lists of events are equal if every row is equal.

    Between the equal rows, two events of the same kind share a row if their order allows this. Every other event has
    its own row.
    """
    rows: list[Row] = []
    for same, a, b in _blocks(left, right, lambda event: event.key):
        if same:
            rows += _pairs(a, b)
        else:
            for same_kind, c, d in _blocks(a, b, lambda event: event.kind):
                rows += _pairs(c, d) if same_kind else [*_only_left(c), *_only_right(d)]
    return rows


def _blocks(
    left: Sequence[Event], right: Sequence[Event], key: Callable[[Event], object]
) -> Iterator[tuple[bool, Sequence[Event], Sequence[Event]]]:
    """Divide both sides into slices. Yield a slice of the left side and a slice of the right side, in order.

    The first item of each result says whether all events of the two slices have equal keys.
    """
    matcher = SequenceMatcher(None, [key(e) for e in left], [key(e) for e in right], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        yield tag == "equal", left[i:j], right[k:m]


def _pairs(left: Sequence[Event], right: Sequence[Event]) -> list[Row]:
    return [Row(a, b) for a, b in zip(left, right, strict=True)]


def _only_left(events: Sequence[Event]) -> list[Row]:
    return [Row(event, None) for event in events]


def _only_right(events: Sequence[Event]) -> list[Row]:
    return [Row(None, event) for event in events]
