"""The application of ``with_request.py`` with Werkzeug's Response."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Request, Response

from loadtests.rungs.work import load_model, to_json


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        response = Response(to_json(predict(request.get_json())), mimetype="application/json")
        return response(environ, start_response)

    return application
