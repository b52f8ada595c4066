"""The application of ``raw.py`` with Werkzeug's Request, which reads the environ and the JSON body."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Request

from loadtests.rungs.work import load_model, to_json


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = to_json(predict(Request(environ).get_json()))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application
