"""The application of ``werkzeug_objects.py`` with a URL map, which selects the view or responds with 404 or 405."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from loadtests.rungs.work import OTHER_ROUTES, load_model, to_json


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)

    def predict_view(request: Request) -> Response:
        return Response(to_json(predict(request.get_json())), mimetype="application/json")

    views = {"predict": predict_view, "other": _other}
    url_map = Map([Rule(rule, endpoint="other") for rule in OTHER_ROUTES])
    url_map.add(Rule("/predict", endpoint="predict", methods=["POST"]))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = url_map.bind_to_environ(environ).match()
            response = views[endpoint](request, **values)
        except HTTPException as error:
            return error(environ, start_response)
        return response(environ, start_response)

    return application


def _other(request: Request, **values: Any) -> Response:
    return Response("never requested")
