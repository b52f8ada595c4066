"""The async view of the tutorials."""

from __future__ import annotations

import typing as t

from wsgi_core import Blueprint, current_app, jsonify
from wsgi_core.shared.gathering import example_sources, gather
from wsgi_core.shared.openapi.operations import Operation, describe, ok


def blueprint() -> Blueprint:
    """Return the blueprint of the route /async-data."""
    api = Blueprint("async_data", __name__)

    @api.get("/async-data")
    @describe(Operation("Predictions", {200: ok({"type": "object"}, "The result of each source, by name")}))
    async def async_data() -> t.Any:
        """Query the repository's index and each model's prediction for its example, all concurrently"""
        return jsonify(await gather(example_sources(current_app.extensions["models"])))

    return api
