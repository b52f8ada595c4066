"""Webhooks: signed deliveries, accepted at once and done later as jobs."""

from __future__ import annotations

import typing as t
from functools import partial

from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import ServiceUnavailable

from wsgi_core.shared.jobs import QueueFull
from wsgi_core.shared.webhooks import read_delivery


def blueprint() -> Blueprint:
    """Return the blueprint of the route /webhooks/<source>."""
    api = Blueprint("webhooks", __name__)

    @api.post("/webhooks/<source>")
    def receive(source: str) -> t.Any:
        """Accept a signed delivery for /predict, commit it to disk, and predict later"""
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
