"""FastAPI, written as in its documentation: a decorated function with the type of the body. An ASGI application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from loadtests.rungs.work import load_model, other_routes, to_json


class SameJSONResponse(JSONResponse):
    """A JSON response with the same bytes as on the other rungs."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of the body (overrides Starlette's method)."""
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
    return "never requested"
