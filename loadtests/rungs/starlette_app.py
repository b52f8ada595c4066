"""Starlette, written as in its documentation: functions in a list of routes."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from loadtests.rungs.work import load_model, other_routes, to_json


class SameJSONResponse(JSONResponse):
    """A JSON response with the same bytes as those of the other applications."""

    def render(self, content: Any) -> bytes:
        return to_json(content)


def create_app(model: str = "null") -> Starlette:
    predict = load_model(model)

    async def predict_view(request: Request) -> SameJSONResponse:
        return SameJSONResponse(predict(await request.json()))

    others = [Route(rule, _other) for rule in other_routes("{", "}")]
    return Starlette(routes=[*others, Route("/predict", predict_view, methods=["POST"])])


async def _other(request: Request) -> PlainTextResponse:
    return PlainTextResponse("never requested")
