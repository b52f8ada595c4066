"""The work that every rung does, so that they differ in the framework and in nothing else."""

from __future__ import annotations

import json
import re
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


def other_routes(opening: str, closing: str) -> list[str]:
    """Return the same routes for the frameworks that write ``{version:int}`` or ``<version:int>``."""

    def rewritten(found: re.Match[str]) -> str:
        kind, name = found.groups()
        return f"{opening}{name}:{kind}{closing}" if kind else f"{opening}{name}{closing}"

    return [re.sub(r"<(?:(\w+):)?(\w+)>", rewritten, route) for route in OTHER_ROUTES]


# Signs the cookies of the session case, on both sides.
SECRET_KEY = "measured-not-kept-secret"

# One encoder for all rungs that are written by hand, with the settings of Flask's ``jsonify`` outside debug mode
# (flask 3.1.3 json/provider.py: DefaultJSONProvider). Made once: none of them pays for building an encoder.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def to_json(value: object) -> bytes:
    """Return the bytes of a JSON answer, equal to those of Flask's ``jsonify``: it ends with a newline."""
    return (_encode(value) + "\n").encode()


def null_model(features: Any) -> dict[str, object]:
    """Answer without any work: what is left of a request's cost is the framework's and the JSON's."""
    return {"churn_probability": 0.5, "model_version": "null/1"}


def load_model(name: str) -> Model:
    """Load the model called ``name``: ``"null"``, or one of the repository or of those built here, with its checks.

    Raises ``wsgi_core.inference.ModelError`` when it is not there or cannot be loaded. The others are left alone.
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


def driver_app(status: str) -> WSGIApplication:
    """Make an application that does nothing: what it costs is the driver's own cost, taken off every rung."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return ()

    return application


def asgi_driver_app() -> Callable[..., Any]:
    """Make the same for ASGI: it answers 200 and nothing."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return application
