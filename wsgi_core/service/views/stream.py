"""Predictions for any number of rows, in one request and in bounded memory."""

from __future__ import annotations

import typing as t

from wsgi_core import Blueprint, Response, current_app, request
from wsgi_core.shared.openapi.operations import STRING, Answer, Operation, describe, errors
from wsgi_core.shared.streaming import EVENTS, HEADERS, LINES, StreamLimits, check_type, stream_predictions

OPERATION = Operation(
    "Predictions",
    {
        200: Answer(
            "An answer for each line, as it is made; an error in a line stands in its place",
            {LINES: STRING, EVENTS: STRING},
        ),
        **errors(400, 404, 413, 415),
    },
    body={LINES: {"description": "A JSON object a line, each as /predict takes it"}},
    description=f"Accept chooses between `{LINES}` and `{EVENTS}`.",
)


def blueprint() -> Blueprint:
    """Return the blueprint of the route /predict/stream, which has its own limit for the size of the body."""
    api = Blueprint("stream", __name__)

    @api.post("/predict/stream")
    @describe(OPERATION)
    def predict_stream() -> t.Any:
        """Churn: rows in as lines of JSON, predictions out as they are made, as lines or server-sent events"""
        check_type(request.mimetype)
        settings = current_app.extensions["settings"]
        request.max_content_length = settings.stream_max_content_length
        limits = StreamLimits(settings.stream_max_errors, settings.stream_timeout, settings.stream_cpu_timeout)
        mimetype = request.accept_mimetypes.best_match([LINES, EVENTS], LINES)
        # NOTE: the generator needs no context. stream_with_context would run the teardown functions twice.
        model = current_app.extensions["models"].get("churn")
        answer = stream_predictions(model, request.stream, mimetype, limits)
        return Response(answer, mimetype=mimetype, headers=HEADERS)

    return api
