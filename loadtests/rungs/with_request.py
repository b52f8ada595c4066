"""One step more than ``raw.py``: Werkzeug's Request reads the environ, and the body as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Request

from loadtests.rungs.work import load_model, to_json


def create_app(model: str = "null") -> WSGIApplication:
    """Make the application that calls the model named ``model`` for each request."""
    predict = load_model(model)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = to_json(predict(Request(environ).get_json()))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application
