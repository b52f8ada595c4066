"""FastAPI, written as in its documentation: a decorated function with the type of the body."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from loadtests.rungs.starlette_app import SameJSONResponse
from loadtests.rungs.work import load_model, other_routes


def create_app(model: str = "null") -> FastAPI:
    predict = load_model(model)
    app = FastAPI(default_response_class=SameJSONResponse)
    for rule in other_routes("{", "}"):
        app.get(rule)(_other)

    @app.post("/predict", response_model=None)
    async def predict_view(features: dict[str, float]) -> Any:
        return predict(features)

    return app


async def _other() -> str:
    return "never requested"
