"""The check of JSON rows against a model's card, and the conversion of the rows to the input tensor.

A row is one JSON object. The first check is fast, and stops at the first invalid value. A second check of all rows then
finds the problems that the error names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .card import RESERVED, Card, Source, describe
from .errors import InvalidFeatures, InvalidInput, MissingFeatures
from .text import Encoder, open_encoder

MAX_ROWS = 10_000
"""The default limit for the number of rows in a batch."""

MAX_NAMED = 100
"""The largest number of features that an error names. The error message only counts the remaining features."""

Row = dict[str, Any]
Problem = tuple[int, Source]
"""The index of a row in its batch, and the feature that is missing or invalid in this row."""


class InputSchema:
    """The check of JSON rows against a card, and the conversion of the rows to the input tensor.

    Keys that the card does not name are ignored. `max_rows` is the largest number of rows in a batch. If the card sets
    a smaller `max_rows`, the card takes precedence.
    """

    def __init__(self, card: Card, max_rows: int = MAX_ROWS) -> None:
        self.sources: Sequence[Source] = card.sources
        self.max_rows = min(max_rows, card.max_rows or max_rows)
        self._checks = tuple((f.name, f.low, f.high, frozenset(f.allowed) or None) for f in card.features)

    def read(self, payload: object) -> tuple[NDArray[Any], bool]:
        """Return the input tensor for a JSON payload, and whether the payload is a batch.

        A JSON object is a single row. A list of objects, or an object with this list under `instances`, is a batch.

        Raises `InvalidInput` if the payload is neither a row nor a batch, or if a batch has no rows or too many rows.
        Raises `MissingFeatures` if a feature is missing. Otherwise raises `InvalidFeatures` if a value is invalid.
        """
        if type(payload) is dict and RESERVED not in payload:
            return self._convert([payload], ""), False
        return self._convert(*self._batch(payload)), True

    def _convert(self, rows: list[Row], label: str) -> NDArray[Any]:
        """Check the rows and convert them to float32[N, number of features].

        `label` is the text before a feature's name in error messages. In `label`, `{}` stands for the index of the row.

        PERF: one flat list and one reshape are faster than a list of lists.
        """
        values: list[float] = []
        for row in rows:
            for name, low, high, allowed in self._checks:
                value = row.get(name)
                # NOTE: exact types, because true is an int in Python but not a number in JSON.
                if (
                    (type(value) is not float and type(value) is not int)
                    or not low <= value <= high
                    or (allowed is not None and value not in allowed)
                ):
                    self._refuse(rows, label)
                values.append(value)
        return np.array(values, np.float32).reshape(-1, len(self._checks))

    def _batch(self, payload: object) -> tuple[list[Row], str]:
        """Return the rows of a batch, and the label of the rows, such as `instances[{}].` (see `_convert`).

        Raises `InvalidInput` if the rows are not a list of 1 to `max_rows` objects.
        """
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
        """Raise `MissingFeatures` if a feature is missing in any row, otherwise `InvalidFeatures`."""
        each = [(number, row, source) for number, row in enumerate(rows) for source in self.sources]
        missing = [(number, source) for number, row, source in each if source.name not in row]
        if missing:
            raise _missing(missing, label)
        raise _invalid([(n, s) for n, row, s in each if not s.accepts(row[s.name])], rows, label)


class PixelSchema(InputSchema):
    """The schema for small pictures. A row has a single value: a list of numbers, the pixels."""

    def _convert(self, rows: list[Row], label: str) -> NDArray[Any]:
        """Check the rows and convert them to float32[N, height * width]."""
        source = self.sources[0]
        pictures = [row.get(source.name) for row in rows]
        if not all(map(source.accepts, pictures)):
            self._refuse(rows, label)
        return np.array(pictures, np.float32)


class TextSchema(InputSchema):
    """The schema for texts. `encoder` converts the texts to token ids."""

    def __init__(self, card: Card, encoder: Encoder, max_rows: int = MAX_ROWS) -> None:
        super().__init__(card, max_rows)
        self.encoder = encoder

    def _convert(self, rows: list[Row], label: str) -> NDArray[Any]:
        """Check the rows and convert them to token ids, int64[N, L]."""
        source = self.sources[0]
        texts: list[Any] = [row.get(source.name) for row in rows]
        if not all(map(source.accepts, texts)):
            self._refuse(rows, label)
        return self.encoder.encode(texts)


def make_schema(card: Card, folder: Path, max_rows: int = MAX_ROWS) -> InputSchema:
    """Return the schema for a card. `folder` contains model.onnx and, for a text, the encoder's file.

    Raises `ModelError` if the encoder's file or package is missing or broken.
    """
    if card.text:
        return TextSchema(card, open_encoder(card.text, folder), max_rows)
    return PixelSchema(card, max_rows) if card.pixels else InputSchema(card, max_rows)


def _missing(problems: list[Problem], label: str) -> MissingFeatures:
    """Return an error such as `missing features: instances[0].has_fiber, instances[2].tenure_months`."""
    names = [label.format(number) + source.name for number, source in problems[:MAX_NAMED]]
    fields = [{"field": name, "message": "is missing"} for name in names]
    return MissingFeatures(f"missing feature{_plural(problems)}: {', '.join(names)}{_unnamed(problems)}", fields)


def _invalid(problems: list[Problem], rows: list[Row], label: str) -> InvalidFeatures:
    """Return an error such as `invalid feature: tenure_months must be a number from 0 to 120 (months), got null`."""
    fields = [
        {
            "field": label.format(number) + source.name,
            "message": f"must be {source.expected}, got {source.describe_rejected(rows[number][source.name])}",
        }
        for number, source in problems[:MAX_NAMED]
    ]
    text = "; ".join(f"{field['field']} {field['message']}" for field in fields)
    return InvalidFeatures(f"invalid feature{_plural(problems)}: {text}{_unnamed(problems)}", fields)


def _plural(problems: list[Problem]) -> str:
    return "s" if len(problems) > 1 else ""


def _unnamed(problems: list[Problem]) -> str:
    """Return the end of an error message, which says how many problems the message does not name."""
    return f", and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
