"""JSON Schemas of a model's inputs and outputs, generated from its input type and its card."""

from __future__ import annotations

from ...inference import Model
from ...inference.card import RESERVED, Card
from ...inference.schema import MAX_ROWS
from .operations import Schema, array, object_schema

VERSION: Schema = {"type": "string", "examples": ["churn/1"]}


def row_schema(model: Model | None) -> Schema:
    """Return the schema of one row: an object of features.

    If there is no model, or the model has no input type or no card, the schema accepts every value.
    """
    if model is None or model.input_type is None or model.card is None:
        return {}
    return model.input_type.model_json_schema() | {"examples": [model.card.example]}


def payload_schema(model: Model | None) -> Schema:
    """Return the schema of the input of `Model.predict`: a row, a list of rows, or an object with a list of rows.

    If there is no model, or the model has no card, the schema accepts every value.
    """
    if model is None or model.card is None:
        return {}
    rows = array(row_schema(model), minItems=1, maxItems=min(MAX_ROWS, model.card.max_rows or MAX_ROWS))
    one = row_schema(model) | {"not": {"required": [RESERVED]}}  # an object with this key has a list of rows
    return {"anyOf": [one, rows, object_schema({RESERVED: rows})], "examples": [model.card.example]}


def prediction_schema(card: Card | None) -> Schema:
    """Return the schema of the result of `Model.predict`: an object with one prediction, or with a list of predictions.

    If there is no card, the schema accepts every value.
    """
    if card is None:
        return {}
    output = card.output
    one: Schema = {"type": "number"} if output.column is not None else array({"type": "number"})
    described = one | {"description": output.description}
    return {
        "anyOf": [
            object_schema({output.name: described, "model_version": VERSION}),
            object_schema({"predictions": array(one), "model_version": VERSION}),
        ]
    }
