"""Webhooks: signed deliveries, accepted at once and worked on later."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import ServiceUnavailable

from wsgi_core.shared.webhooks import SIGNATURE, Delivery, QueueFull, check_signature, delivery_id, find_secret


def blueprint() -> Blueprint:
    """The route /webhooks/<source>."""
    api = Blueprint("webhooks", __name__)

    @api.post("/webhooks/<source>")
    def receive(source: str) -> t.Any:
        """A signed delivery, as /predict takes it: 202, and the prediction is made later"""
        settings = current_app.extensions["settings"]
        secret = find_secret(settings.webhook_secrets, source)
        body = request.get_data()
        check_signature(secret, body, request.headers.get(SIGNATURE, ""))
        delivery = Delivery(source, delivery_id(request.headers, body), request.get_json(force=True))
        try:
            is_new = current_app.extensions["webhooks"].accept(delivery)
        except QueueFull as error:
            raise ServiceUnavailable("Too much is waiting", retry_after=settings.retry_after) from error
        return jsonify(status="accepted" if is_new else "duplicate", delivery=delivery.id), 202

    return api
