"""Falcon, written as in its documentation: a resource class, and a media handler that sets how JSON is written."""

from __future__ import annotations

from typing import Any

import falcon
from falcon import media

from loadtests.rungs.work import Model, load_model, other_routes, to_json


class Predict:
    def __init__(self, predict: Model) -> None:
        self.predict = predict

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = self.predict(req.get_media())


class Other:
    """The resource of the routes that are never requested."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, **values: Any) -> None:
        resp.text = "never requested"


def create_app(model: str = "null") -> Any:
    app = falcon.App()
    handler = media.JSONHandler(dumps=to_json)
    app.req_options.media_handlers[falcon.MEDIA_JSON] = handler
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = handler
    for rule in other_routes("{", "}"):
        app.add_route(rule, Other())
    app.add_route("/predict", Predict(load_model(model)))
    return app
