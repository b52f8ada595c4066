"""The readiness probe /readyz, for load balancers and Kubernetes."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import ServiceUnavailable

from wsgi_core import Blueprint, Response, current_app
from wsgi_core.shared.openapi.operations import TEXT, Operation, describe, ok


def blueprint() -> Blueprint:
    """Return the blueprint of the route /readyz.

    While the server stops, /readyz returns status 503, but /healthz still returns status 200.
    """
    api = Blueprint("health", __name__)

    @api.get("/readyz")
    @describe(Operation("Operation", {200: ok({"const": "ready"}, "The server is not stopping", TEXT)}))
    def readyz() -> t.Any:
        """Return "ready", or status 503 if the server is stopping"""
        if not current_app.extensions["readiness"].ready:
            raise ServiceUnavailable(
                "The server is stopping", retry_after=current_app.extensions["settings"].retry_after
            )
        return Response("ready", mimetype="text/plain")

    return api
