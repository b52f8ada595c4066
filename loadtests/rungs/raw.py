"""One PEP 3333 callable with the standard library's JSON. It has no routing and no error handling."""

from __future__ import annotations

import json
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from loadtests.rungs.work import load_model, to_json


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        features = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = to_json(predict(features))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application
