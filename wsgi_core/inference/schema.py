"""From what JSON gave to the float32 rows that a model takes, checked against the model's card.

The way of a good row is short: every value looked up, its type compared, its limits compared. Only when
something is wrong are the rows gone through again, to name all that is wrong and not just the first of it.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .card import FLOAT32_MAX, RESERVED, Card, Feature
from .errors import InvalidFeatures, InvalidInput, MissingFeatures

MAX_ROWS = 10_000
"""The largest batch, unless the repository is told otherwise."""

MAX_NAMED = 100
"""So many problems are named one by one; the rest is counted, or a bad batch would come back larger."""

Row = dict[str, Any]
Problem = tuple[int, Feature]
"""The number of a row in its batch, from 0, and the feature that is missing or wrong there."""


class InputSchema:
    """The features of a card as a check: `read()` turns a payload into rows or raises an `InputError`.

    Keys that the card does not know are ignored, so that a client may send the whole record it has.
    `max_rows` is the largest batch.
    """

    def __init__(self, card: Card, max_rows: int = MAX_ROWS) -> None:
        self.features = card.features
        self.max_rows = max_rows
        self._checks = tuple((f.name, f.low, f.high, frozenset(f.allowed) or None) for f in card.features)

    def read(self, payload: object) -> tuple[NDArray[np.float32], bool]:
        """The payload as float32[N, number of features], and whether it was a batch.

        One object of features is one row; a list of objects, or such a list under `instances`, is a batch.
        Raises `InvalidInput`, `MissingFeatures` or `InvalidFeatures`; what is missing is said before what is
        invalid.
        """
        if type(payload) is dict and RESERVED not in payload:
            return self._convert([payload], ""), False
        return self._convert(*self._batch(payload)), True

    def _convert(self, rows: list[Row], label: str) -> NDArray[np.float32]:
        """The rows as one array. PERF: one flat list and one reshape cost less than a list of lists."""
        values: list[float] = []
        for row in rows:
            for name, low, high, allowed in self._checks:
                value = row.get(name)
                # NOTE: exact types, for true is an int to Python but no number in JSON.
                if (
                    (type(value) is not float and type(value) is not int)
                    or not low <= value <= high
                    or (allowed is not None and value not in allowed)
                ):
                    self._refuse(rows, label)
                values.append(value)
        return np.array(values, np.float32).reshape(-1, len(self._checks))

    def _batch(self, payload: object) -> tuple[list[Row], str]:
        """The rows of a batch, and how one of them is called: `instances[{}].`, or `[{}].` in a bare list."""
        prefix = RESERVED if isinstance(payload, dict) else ""
        rows = payload[RESERVED] if isinstance(payload, dict) else payload
        if not isinstance(rows, list):
            what = "instances must be a list of objects" if prefix else "expected an object or a list of objects"
            raise InvalidInput(f"{what}, got {describe(rows)}")
        if not 1 <= len(rows) <= self.max_rows:
            raise InvalidInput(f"expected 1 to {self.max_rows} rows, got {len(rows)}")
        for number, row in enumerate(rows):
            if type(row) is not dict:
                raise InvalidInput(f"{prefix}[{number}] must be an object of features, got {describe(row)}")
        return rows, prefix + "[{}]."

    def _refuse(self, rows: list[Row], label: str) -> NoReturn:
        """Raise the error that names every problem in all rows."""
        each = [(number, row, feature) for number, row in enumerate(rows) for feature in self.features]
        missing = [(number, feature) for number, row, feature in each if feature.name not in row]
        if missing:
            raise _missing(missing, label)
        raise _invalid([(n, f) for n, row, f in each if not f.accepts(row[f.name])], rows, label)


def _missing(problems: list[Problem], label: str) -> MissingFeatures:
    """`missing feature: tenure_months`, or `missing features: instances[0].has_fiber, ...`."""
    names = [label.format(number) + feature.name for number, feature in problems[:MAX_NAMED]]
    fields = [{"field": name, "message": "is missing"} for name in names]
    return MissingFeatures(f"missing feature{_s(problems)}: {', '.join(names)}{_rest(problems)}", fields)


def _invalid(problems: list[Problem], rows: list[Row], label: str) -> InvalidFeatures:
    """`invalid feature: tenure_months must be a number from 0 to 120 (months), got a string`."""
    fields = [
        {
            "field": label.format(number) + feature.name,
            "message": f"must be {feature.expected}, got {describe(rows[number][feature.name])}",
        }
        for number, feature in problems[:MAX_NAMED]
    ]
    text = "; ".join(f"{field['field']} {field['message']}" for field in fields)
    return InvalidFeatures(f"invalid feature{_s(problems)}: {text}{_rest(problems)}", fields)


def _s(problems: list[Problem]) -> str:
    """The plural's ending."""
    return "s" if len(problems) > 1 else ""


def _rest(problems: list[Problem]) -> str:
    """How many problems were not named."""
    return f", and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""


def describe(value: object) -> str:
    """A JSON value in a few words. Text is never repeated: it may be long, and it may be anything."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r}" if abs(value) <= FLOAT32_MAX else "a number too large for a float32"
    names = {str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "something else")
