"""Bottle, written as in its documentation: a decorated function that returns a dict."""

from __future__ import annotations

import json
from typing import Any

import bottle

from loadtests.rungs.work import load_model, other_routes, to_json


def create_app(model: str = "null") -> Any:
    # Bottle would use ujson if it is installed. All rungs use the standard library's json.
    bottle.json_loads = json.loads
    predict = load_model(model)
    app = bottle.Bottle()
    app.uninstall("json")
    app.install(bottle.JSONPlugin(to_json))

    for rule in other_routes("<", ">"):
        app.get(rule, callback=_other)

    @app.post("/predict")  # type: ignore[untyped-decorator]
    def predict_view() -> Any:
        return predict(bottle.request.json)

    return app


def _other(**values: Any) -> str:
    return "never requested"
