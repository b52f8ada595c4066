"""The sentiment API of the tutorials."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import NotFound


def blueprint() -> Blueprint:
    """The route /sentiment."""
    api = Blueprint("sentiment", __name__)

    @api.post("/sentiment")
    def sentiment() -> t.Any:
        """Sentiment: whether a text is positive or negative, and how sure the model is"""
        model = current_app.extensions["models"].find("sentiment")
        if model is None or not model.is_classifier:
            raise NotFound("There is no model 'sentiment'")
        row = model.read_row(request.get_json())
        prediction, probability = model.classify(row)
        return jsonify(
            input=row["text"],
            prediction=prediction,
            confidence_score=max(probability, 1 - probability),
            backend="onnxruntime",
        )

    return api
