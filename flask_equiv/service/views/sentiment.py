"""The route /sentiment, which classifies a text as positive or negative, as in tutorials on serving models."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import NotFound

from wsgi_core.inference import ModelRepository
from wsgi_core.shared.openapi.inputs import row_schema
from wsgi_core.shared.openapi.operations import (
    BODY_ERRORS,
    JSON,
    SHARE,
    STRING,
    Operation,
    describe,
    errors,
    object_schema,
    ok,
)


def operation(models: ModelRepository) -> Operation:
    """Return the OpenAPI operation of POST /sentiment."""
    sentiment = object_schema(
        {
            "input": STRING,
            "prediction": {"type": "string", "examples": ["positive"]},
            "confidence_score": SHARE | {"description": "The probability of the predicted class"},
            "backend": {"const": "onnxruntime"},
        }
    )
    body = row_schema(models.find("sentiment"))
    return Operation("Predictions", {200: ok(sentiment), **errors(*BODY_ERRORS)}, body={JSON: body})


def blueprint() -> Blueprint:
    """Return the blueprint of the route /sentiment."""
    api = Blueprint("sentiment", __name__)

    @api.post("/sentiment")
    @describe(operation)
    def sentiment() -> t.Any:
        """Classify a text as positive or negative, and return the probability of that class"""
        model = current_app.extensions["models"].find("sentiment")
        if model is None or not model.is_classifier:
            raise NotFound("There is no model 'sentiment' with two classes")
        row = model.read_row(request.get_json())
        prediction, probability = model.classify(row)
        return jsonify(
            input=row["text"],
            prediction=prediction,
            confidence_score=max(probability, 1 - probability),
            backend="onnxruntime",
        )

    return api
