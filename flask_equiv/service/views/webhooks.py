"""The route /webhooks/<source> for webhooks, which are signed requests.

The payload of a webhook is stored as a job at once. The job is processed later.
"""

from __future__ import annotations

import typing as t
from functools import partial

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import ServiceUnavailable

from wsgi_core.inference import ModelRepository
from wsgi_core.shared.jobs import QueueFull
from wsgi_core.shared.openapi.operations import JSON, STRING, Operation, ResponseObject, describe, errors, object_schema
from wsgi_core.shared.webhooks import DELIVERY, SIGNATURE, STANDARD, STRIPE, read_delivery


def operation(models: ModelRepository) -> Operation:
    """Return the OpenAPI operation of POST /webhooks/<source>."""
    accepted = object_schema({"status": {"enum": ["accepted", "duplicate"]}, "delivery": STRING})
    model = models.find("churn")
    signature = {"in": "header", "description": "`sha256=` and the hexadecimal HMAC-SHA256 of the body"}
    delivery = {"in": "header", "description": "The id that the sender has given to the delivery"}
    return Operation(
        "Predictions",
        {
            202: ResponseObject("The payload is stored as a job, which is processed later", {JSON: accepted}),
            **errors(400, 401, 404, 413, 415, 503),
        },
        body={JSON: {"examples": [model.card.example]} if model and model.card else {}},
        description=f"The body has the format of /predict, and is validated later. Instead of `{SIGNATURE}`, a request"
        f" can have the signature of Stripe, in the header `{STRIPE}`, or of Standard Webhooks, in `{STANDARD}`.",
        parameters=(
            {"name": SIGNATURE, "required": True, "schema": STRING, **signature},
            {"name": DELIVERY[0], "schema": STRING, **delivery},
        ),
    )


def blueprint() -> Blueprint:
    """Return the blueprint of the route /webhooks/<source>."""
    api = Blueprint("webhooks", __name__)

    @api.post("/webhooks/<source>")
    @describe(operation)
    def receive(source: str) -> t.Any:
        """Accept a signed webhook, store its payload as a job, and make the prediction later"""
        settings = current_app.extensions["settings"]
        read = partial(request.get_json, force=True)
        job = read_delivery(
            settings.webhook_secrets, source, request.headers, request.get_data(), settings.webhook_tolerance, read
        )
        try:
            is_new = current_app.extensions["jobs"].accept(job)
        except QueueFull as error:
            raise ServiceUnavailable(f"Not accepted: {error}", retry_after=settings.retry_after) from error
        return jsonify(status="accepted" if is_new else "duplicate", delivery=job.id), 202

    return api
