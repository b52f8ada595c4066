"""The async view of the tutorials."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify

from wsgi_core.shared.gathering import example_sources, gather
from wsgi_core.shared.openapi.operations import Operation, describe, good


def blueprint() -> Blueprint:
    """Return the blueprint of the route /async-data."""
    api = Blueprint("async_data", __name__)

    @api.get("/async-data")
    @describe(Operation("Predictions", {200: good({"type": "object"}, "What each source gave, by its name")}))
    async def async_data() -> t.Any:
        """The repository's index and every model's answer to its example, all asked at once"""
        return jsonify(await gather(example_sources(current_app.extensions["models"])))

    return api
