"""The metrics that Prometheus scrapes."""

from __future__ import annotations

import typing as t

from flask import Blueprint, Response, current_app, request

from wsgi_core.shared.observability.metrics import render
from wsgi_core.shared.openapi.operations import STRING, TEXT, Operation, describe, ok


def blueprint() -> Blueprint:
    """Return the blueprint of the route /metrics."""
    api = Blueprint("metrics", __name__)

    @api.get("/metrics")
    @describe(Operation("Operation", {200: ok(STRING, "Metrics in the format that the header Accept selects", TEXT)}))
    def metrics() -> t.Any:
        """Return metrics of requests, refused requests and model runs, for Prometheus"""
        server, models = current_app.extensions.get("server"), current_app.extensions["models"].models
        body, content_type = render(request.headers.get("Accept", ""), server, models)
        return Response(body, content_type=content_type)

    return api
