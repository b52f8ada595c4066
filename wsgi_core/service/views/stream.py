"""The route /predict/stream: predictions for a stream of rows, in one request and in bounded memory."""

from __future__ import annotations

import typing as t

from wsgi_core import Blueprint, Response, current_app, request
from wsgi_core.shared.openapi.operations import STRING, Operation, ResponseObject, describe, errors
from wsgi_core.shared.streaming import EVENTS, HEADERS, LINES, StreamLimits, check_type, stream_predictions

OPERATION = Operation(
    "Predictions",
    {
        200: ResponseObject(
            "A prediction or an error for each line that is not blank, sent one by one", {LINES: STRING, EVENTS: STRING}
        ),
        **errors(400, 404, 413, 415),
    },
    body={LINES: {"description": "One row per line: a JSON object, as for /predict"}},
    description=f"The header Accept selects the format of the response: `{LINES}` or `{EVENTS}`.",
)


def blueprint() -> Blueprint:
    """Return the blueprint of the route /predict/stream. The setting `stream_max_content_length` limits the body."""
    api = Blueprint("stream", __name__)

    @api.post("/predict/stream")
    @describe(OPERATION)
    def predict_stream() -> t.Any:
        """Predict rows of JSON Lines one by one, and send the predictions as lines or server-sent events"""
        check_type(request.mimetype)
        settings = current_app.extensions["settings"]
        request.max_content_length = settings.stream_max_content_length
        limits = StreamLimits(settings.stream_max_errors, settings.stream_timeout, settings.stream_cpu_timeout)
        mimetype = request.accept_mimetypes.best_match([LINES, EVENTS], LINES)
        # NOTE: the generator needs no request context, and stream_with_context would run the teardown functions twice.
        model = current_app.extensions["models"].get("churn")
        answer = stream_predictions(model, request.stream, mimetype, limits)
        return Response(answer, mimetype=mimetype, headers=HEADERS)

    return api
