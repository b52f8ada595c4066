"""The work that every rung does, so that they differ in the framework and in nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Model = Callable[[Any], Any]

# What an API of this size registers beside the route that is measured: 12, static ones and converters.
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

# Signs the cookies of the session case, on both sides.
SECRET_KEY = "measured-not-kept-secret"

# One encoder for all rungs that are written by hand, with the settings of Flask's ``jsonify`` outside debug mode
# (flask 3.1.3 json/provider.py: DefaultJSONProvider). Made once: none of them pays for building an encoder.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def to_json(value: object) -> bytes:
    """The bytes of a JSON answer, equal to those of Flask's ``jsonify``: it ends with a newline."""
    return (_encode(value) + "\n").encode()


def null_model(features: Any) -> dict[str, object]:
    """A model that does no work: what is left of a request's cost is the framework's and the JSON's."""
    return {"churn_probability": 0.5, "model_version": "null/1"}


def load_model(name: str) -> Model:
    """The model called ``name``: ``"null"``, or one of the repository, with its checks of the input.

    Raises ``wsgi_core.inference.ModelError`` when the repository cannot be loaded.
    """
    if name == "null":
        return null_model
    from wsgi_core.inference import ModelRepository

    predict: Model = ModelRepository().get(name).predict
    return predict


def driver_app(status: str) -> WSGIApplication:
    """An application that does nothing: what it costs is the driver's own cost, taken off every rung."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return ()

    return application
