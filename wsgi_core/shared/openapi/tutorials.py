"""The routes that the tutorials serve, and POST /digits.

Those that ask a model take their schemas from it; where the model is not there, the route answers so, and its body is
left open.
"""

from __future__ import annotations

from ...inference import Model, ModelRepository
from ...inference.digits import MAX_JSON_SIDE, WHITE
from ..retrieval import Question
from ..streaming import EVENTS, LINES
from ..webhooks import DELIVERY, SIGNATURE
from .inputs import VERSION, payload_schema, prediction_schema, row_schema
from .operations import JSON, Answer, Operation, Schema, array, error, errors, good, record

NUMBER: Schema = {"type": "number"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
STRING: Schema = {"type": "string"}
GROUP = "Predictions"

_BODY = (400, 404, 413, 415, 422)


def predictions(models: ModelRepository) -> dict[str, Operation]:
    """The operations of the routes that answer with a prediction, or something near one."""
    churn, loan, sentiment = (models.find(name) for name in ("churn", "loan", "sentiment"))
    return {
        "POST /predict": _predict(churn),
        "POST /predict/stream": STREAM,
        "POST /api/v1/predict": _loan(loan),
        "GET /api/v1/health": LOAN_HEALTH,
        "POST /sentiment": _sentiment(sentiment),
        "POST /digits": DIGITS,
        "POST /rag-chat": CHAT,
        "GET /async-data": GATHERED,
        "POST /webhooks/<source>": _webhook(churn),
    }


def _payload(model: Model | None) -> Schema:
    return payload_schema(model) if model else {}


def _predict(model: Model | None) -> Operation:
    gives = prediction_schema(model.card) if model and model.card else {}
    return Operation(
        GROUP,
        {200: good(gives, "The probability"), **errors(*_BODY)},
        body={JSON: _payload(model)},
        description='One object is one prediction; a list of objects, or `{"instances": [...]}`, is a batch.',
    )


def _loan(model: Model | None) -> Operation:
    gives = record(
        {
            "prediction": {"enum": ["approved", "denied"]},
            "probability": SHARE | {"description": "Of approval"},
            "model_version": {"type": "string", "examples": ["loan/1"]},
            "timestamp": {"type": "string", "format": "date-time", "description": "UTC"},
        }
    )
    return Operation(
        GROUP,
        {200: good(gives), **errors(400, 413, 415), 422: error(422, "LoanErrors"), 503: error(503)},
        body={JSON: row_schema(model) if model else {}},
    )


LOAN_HEALTH = Operation(
    "Operation",
    {
        200: good(
            record(
                {
                    "status": {"enum": ["healthy", "degraded"]},
                    "model_loaded": {"type": "boolean"},
                    "model_version": {"type": ["string", "null"]},
                }
            )
        )
    },
)


def _sentiment(model: Model | None) -> Operation:
    gives = record(
        {
            "input": STRING,
            "prediction": {"type": "string", "examples": ["positive"]},
            "confidence_score": SHARE | {"description": "How likely the prediction is right, as the model sees it"},
            "backend": {"const": "onnxruntime"},
        }
    )
    return Operation(GROUP, {200: good(gives), **errors(*_BODY)}, body={JSON: row_schema(model) if model else {}})


def _drawing() -> Schema:
    shade = NUMBER | {"minimum": 0, "maximum": WHITE}
    return array(array(shade, minItems=1, maxItems=MAX_JSON_SIDE), minItems=1, maxItems=MAX_JSON_SIDE)


DIGITS = Operation(
    GROUP,
    {
        200: good(
            record(
                {
                    "digit": {"type": "integer"},
                    "probabilities": array(SHARE) | {"description": "How likely each digit is"},
                    "pixels": array(SHARE) | {"description": "What the model was shown: 8 rows of 8 pixels"},
                    "model_version": VERSION,
                }
            )
        ),
        **errors(*_BODY),
    },
    body={JSON: record({"drawing": _drawing()})},
    description="Rows of shades, all as long, with one digit anywhere in them, light on dark or dark on light.",
)

_PASSAGE = record({"source": STRING, "heading": STRING, "text": STRING, "score": NUMBER})

CHAT = Operation(
    GROUP,
    {
        200: good(
            record(
                {
                    "query": STRING,
                    "context_used": array(_PASSAGE),
                    "answer": STRING,
                    "usage": {"type": "object", "description": "What was at work, and how much it read and wrote"},
                }
            )
        ),
        **errors(400, 413, 415, 422),
    },
    body={JSON: Question.model_json_schema()},
)

GATHERED = Operation(
    GROUP, {200: good({"type": "object", "additionalProperties": True}, "What each source gave, by its name")}
)

STREAM = Operation(
    GROUP,
    {
        200: Answer(
            "An answer for each line, as they are made. An error in a line stands in its place",
            {LINES: STRING, EVENTS: STRING},
        ),
        **errors(400, 404, 413, 415),
    },
    body={LINES: {"description": "A JSON object a line, each as /predict takes it"}},
    description=f"Accept chooses between `{LINES}` and `{EVENTS}`.",
)


def _webhook(model: Model | None) -> Operation:
    accepted = record({"status": {"enum": ["accepted", "duplicate"]}, "delivery": STRING})
    return Operation(
        GROUP,
        {202: Answer("Taken; the prediction is made later", {JSON: accepted}), **errors(400, 401, 404, 413, 415, 503)},
        body={JSON: {"examples": [model.card.example]} if model and model.card else {}},
        description="The body is what /predict takes; whether it is right is found out later.",
        parameters=(
            {
                "name": SIGNATURE,
                "in": "header",
                "required": True,
                "description": "`sha256=` and the hexadecimal HMAC-SHA256 of the body",
                "schema": {"type": "string"},
            },
            {"name": DELIVERY[0], "in": "header", "description": "The same when it is sent again", "schema": STRING},
        ),
    )
