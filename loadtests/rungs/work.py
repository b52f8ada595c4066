"""The work that every rung does. The rungs share this code, so that they differ only in the framework.

A *rung* is an application to measure: it parses a JSON body, calls a model and responds with JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Model = Callable[[Any], Any]

# Twelve other routes, static or with converters, as in a small API.
OTHER_ROUTES = (
    "/",
    "/healthz",
    "/models",
    "/models/<name>",
    "/models/<name>/versions/<int:version>",
    "/users",
    "/users/<int:user_id>",
    "/users/<int:user_id>/requests",
    "/metrics",
    "/docs",
    "/files/<path:filename>",
    "/v2/health/ready",
)


def other_routes(opening: str, closing: str) -> list[str]:
    """Return ``OTHER_ROUTES`` in the syntax of another framework, such as ``{version:int}``.

    ``opening`` and ``closing`` are the brackets around a variable part.
    """

    def rewritten(found: re.Match[str]) -> str:
        kind, name = found.groups()
        return f"{opening}{name}:{kind}{closing}" if kind else f"{opening}{name}{closing}"

    return [re.sub(r"<(?:(\w+):)?(\w+)>", rewritten, route) for route in OTHER_ROUTES]


# The key that signs the session cookies of both frameworks.
SECRET_KEY = "measured-not-kept-secret"

# One encoder for all rungs that are written by hand, with the settings of Flask's ``jsonify`` outside debug mode
# (flask 3.1.3 json/provider.py: DefaultJSONProvider). It is made once, so no request includes the cost of making it.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def to_json(value: object) -> bytes:
    """Return the bytes of a JSON response. As with Flask's ``jsonify``, they end with a newline."""
    return (_encode(value) + "\n").encode()


def null_model(features: Any) -> dict[str, object]:
    """Return a constant, so that a request costs only the work of the framework and of JSON."""
    return {"churn_probability": 0.5, "model_version": "null/1"}


def load_model(name: str) -> Model:
    """Return the function that calls the model ``name``.

    ``name`` is ``"null"``, a model of this project, or a model that the user has built. Raises
    ``wsgi_core.inference.ModelError`` if the model does not exist or cannot be loaded.
    """
    if name == "null":
        return null_model
    from wsgi_core.inference import ModelError, default_models_dir, folders, repository
    from wsgi_core.shared import cache

    places = [place for place in (default_models_dir(), cache.built_models_dir()) if place.is_dir()]
    found = [one for place in places for one in folders.find_models(place) if one.name == name]
    if not found:
        raise ModelError(f"no model {name!r}")
    predict: Model = repository.load_model(found[-1]).predict
    return predict


def null_app() -> WSGIApplication:
    """Make a WSGI application that reads the request's body and responds with an empty JSON object.

    The request must have a Content-Length.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "3")])
        return [b"{}\n"]

    return application


def driver_app(status: str) -> WSGIApplication:
    """Make a WSGI application that only sends an empty response with the status line ``status``.

    Its cost is the cost of calling an application. This cost is subtracted from the costs of WSGI applications.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return ()

    return application


def asgi_driver_app() -> Callable[..., Any]:
    """Make an ASGI application that only sends an empty response with the status 200."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return application
