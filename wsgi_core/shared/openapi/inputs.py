"""What a model takes and what it answers, as JSON Schemas made of its declared input and its card."""

from __future__ import annotations

from ...inference import Model
from ...inference.card import RESERVED, Card
from ...inference.schema import MAX_ROWS
from .operations import Schema, array, record

VERSION: Schema = {"type": "string", "examples": ["churn/1"]}


def row_schema(model: Model) -> Schema:
    """One row: an object of features, in which other keys are ignored. Anything, for a model without a card."""
    if model.input_type is None or model.card is None:
        return {}
    return model.input_type.model_json_schema() | {"examples": [model.card.example]}


def payload_schema(model: Model) -> Schema:
    """What `Model.predict` takes: a row, a list of rows, or that list under `instances`."""
    if model.card is None:
        return {}
    rows = array(row_schema(model), minItems=1, maxItems=min(MAX_ROWS, model.card.max_rows or MAX_ROWS))
    one = row_schema(model) | {"not": {"required": [RESERVED]}}  # or it would be a batch
    return {"anyOf": [one, rows, record({RESERVED: rows})], "examples": [model.card.example]}


def prediction_schema(card: Card) -> Schema:
    """What `Model.predict` answers: one prediction under the name of the output, or a list of them."""
    one: Schema = {"type": "number"} if card.output.column is not None else array({"type": "number"})
    said = one | {"description": card.output.description}
    return {
        "anyOf": [
            record({card.output.name: said, "model_version": VERSION}),
            record({"predictions": array(one), "model_version": VERSION}),
        ]
    }
