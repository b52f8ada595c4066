"""FastAPI, written as its documentation does: a decorated function with the body's type. An ASGI application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from loadtests.rungs.work import load_model, other_routes, to_json


class SameJSONResponse(JSONResponse):
    """JSON as all rungs write it."""

    def render(self, content: Any) -> bytes:
        """Starlette's method: the bytes of the body."""
        return to_json(content)


def create_app(model: str = "null") -> FastAPI:
    """Make the application around the model called ``model``."""
    predict = load_model(model)
    app = FastAPI(default_response_class=SameJSONResponse)
    for rule in other_routes("{", "}"):
        app.get(rule)(_other)

    @app.post("/predict", response_model=None)
    async def predict_view(features: dict[str, float]) -> Any:
        return predict(features)

    return app


async def _other() -> str:
    return "never asked for"
