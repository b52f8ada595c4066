"""The routes below /api/v1: a loan decision and a health check, as in tutorials on serving models with Flask."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import BadRequest, ServiceUnavailable

from wsgi_core.inference import InvalidFeatures, Model, ModelRepository
from wsgi_core.shared.openapi.inputs import row_schema
from wsgi_core.shared.openapi.operations import JSON, SHARE, Operation, describe, error, errors, object_schema, ok

HEALTH = Operation(
    "Operation",
    {
        200: ok(
            object_schema(
                {
                    "status": {"enum": ["healthy", "degraded"]},
                    "model_loaded": {"type": "boolean"},
                    "model_version": {"type": ["string", "null"]},
                }
            )
        )
    },
)


def predict_operation(models: ModelRepository) -> Operation:
    """Return the OpenAPI operation of POST /api/v1/predict."""
    decision = object_schema(
        {
            "prediction": {"enum": ["approved", "denied"]},
            "probability": SHARE | {"description": "The probability of approval"},
            "model_version": {"type": "string", "examples": ["loan/1"]},
            "timestamp": {"type": "string", "format": "date-time", "description": "The time of the prediction, in UTC"},
        }
    )
    return Operation(
        "Predictions",
        {200: ok(decision), **errors(400, 413, 415), 422: error(422, "LoanErrors"), 503: error(503)},
        body={JSON: row_schema(models.find("loan"))},
    )


def blueprint() -> Blueprint:
    """Return the blueprint of the routes below /api/v1.

    If features are missing or invalid, the response is ``{"errors": [...]}`` with status 422.
    """
    api = Blueprint("loan", __name__, url_prefix="/api/v1")

    @api.post("/predict")
    @describe(predict_operation)
    def predict() -> t.Any:
        """Approve or deny a loan, and return the probability of approval"""
        model = find_classifier()
        if model is None:
            raise ServiceUnavailable("There is no model 'loan' with two classes")
        if not request.is_json:
            raise BadRequest("The content type of the body must be application/json")
        prediction, probability = model.classify(model.read_row(request.get_json()))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return jsonify(prediction=prediction, probability=probability, model_version=model.id, timestamp=now)

    @api.get("/health")
    @describe(HEALTH)
    def health() -> t.Any:
        """Tell whether the loan model is loaded and can make decisions"""
        model = find_classifier()
        return jsonify(
            status="degraded" if model is None else "healthy",
            model_loaded=model is not None,
            model_version=None if model is None else model.id,
        )

    @api.errorhandler(InvalidFeatures)
    def invalid_features(error: InvalidFeatures) -> t.Any:
        return jsonify(errors=error.fields), 422

    return api


def find_classifier() -> Model | None:
    """Return the loan model, or None if the model is not served or does not have two classes.

    The first call loads an on-demand model.
    """
    model = t.cast(Model | None, current_app.extensions["models"].find("loan"))
    return model if model is not None and model.is_classifier else None
