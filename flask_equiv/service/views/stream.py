"""Predictions for as many rows as a client likes to send, in one request and in bounded memory."""

from __future__ import annotations

import typing as t

from flask import Blueprint, Response, current_app, request

from wsgi_core.shared.streaming import EVENTS, HEADERS, LINES, check_type, stream_predictions


def blueprint() -> Blueprint:
    """The route /predict/stream, whose body has a limit of its own."""
    api = Blueprint("stream", __name__)

    @api.post("/predict/stream")
    def predict_stream() -> t.Any:
        """Churn: rows in as lines of JSON, predictions out as they are made, as lines or server-sent events"""
        check_type(request.mimetype)
        request.max_content_length = current_app.extensions["settings"].stream_max_content_length
        mimetype = request.accept_mimetypes.best_match([LINES, EVENTS], LINES)
        # NOTE: the generator needs no context: kept around it, that would run the teardown functions twice.
        answer = stream_predictions(current_app.extensions["models"].get("churn"), request.stream, mimetype)
        return Response(answer, mimetype=mimetype, headers=HEADERS)

    return api
