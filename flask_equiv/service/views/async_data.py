"""The route /async-data: an async view that runs several models concurrently, as in tutorials on async views."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify

from wsgi_core.shared.gathering import example_sources, gather
from wsgi_core.shared.openapi.operations import Operation, describe, ok


def blueprint() -> Blueprint:
    """Return the blueprint of the route /async-data."""
    api = Blueprint("async_data", __name__)

    @api.get("/async-data")
    @describe(Operation("Predictions", {200: ok({"type": "object"}, "The index, and the result of each model")}))
    async def async_data() -> t.Any:
        """Run each model that has a card, with the card's example as input, and list all models, concurrently"""
        return jsonify(await gather(example_sources(current_app.extensions["models"])))

    return api
