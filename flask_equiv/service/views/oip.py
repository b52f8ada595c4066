"""The Open Inference Protocol, version 2, over REST. tritonclient and KServe's client use this protocol.

`inference.v2` implements the protocol. This module has the routes, the headers and the content codings.
"""

from __future__ import annotations

import typing as t
from functools import partial

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.exceptions import BadRequest, Forbidden, ServiceUnavailable, UnsupportedMediaType

from wsgi_core.inference import Model, ModelError, ModelRepository, v2
from wsgi_core.shared.content_coding import choose_coding, decode_body, encode_body
from wsgi_core.shared.openapi.operations import OCTETS, STRING, array, describe, object_schema, ref
from wsgi_core.shared.openapi.protocol import (
    INDEX,
    RELOAD,
    about_model,
    about_server,
    change_operation,
    infer_operation,
)

HEADER_LENGTH_KEY = "HTTP_" + v2.HEADER_LENGTH.upper().replace("-", "_")
# PERF: the most common content types, which need no parsing.
PLAIN_TYPES = (None, "", "application/json", OCTETS)


OBJECTS = array({"type": "object"})


def blueprint() -> Blueprint:
    """Return the blueprint of the routes below /v2."""
    api = Blueprint("oip", __name__, url_prefix="/v2")
    statistics = v2.Statistics()
    add_server_views(api)
    add_model_views(api, statistics)
    add_repository_views(api)
    return api


def add_server_views(api: Blueprint) -> None:
    """Add the routes about the server."""

    @api.get("", strict_slashes=False)
    @describe(about_server(object_schema({"name": STRING, "version": STRING, "extensions": array(STRING)})))
    def server_metadata() -> t.Any:
        """Return the server's name, version and extensions"""
        return jsonify(v2.server_metadata())

    @api.get("/health/live")
    @describe(about_server(object_schema({"live": {"const": True}})))
    def live() -> t.Any:
        """Tell whether the process is alive"""
        return jsonify(live=True)

    @api.get("/health/ready")
    @describe(about_server(object_schema({"ready": {"const": True}})))
    def ready() -> t.Any:
        """Tell whether load balancers should send requests to the server: 503 if it is stopping"""
        if not current_app.extensions["readiness"].ready:
            raise ServiceUnavailable(
                "The server is stopping", retry_after=current_app.extensions["settings"].retry_after
            )
        return jsonify(ready=True)


def add_model_views(api: Blueprint, statistics: v2.Statistics) -> None:
    """Add the routes about a model and its inferences.

    If the path has no version, a route uses the version with the highest number. The exception is the route of the
    statistics, which then returns the statistics of all served versions.
    """

    @api.get("/models/<name>")
    @api.get("/models/<name>/versions/<version>")
    @describe(about_model(ref("ModelMetadata")))
    def model_metadata(name: str, version: str | None = None) -> t.Any:
        """Return a model's inputs, outputs and versions"""
        return jsonify(v2.model_metadata(find(name, version), models().versions(name)))

    @api.get("/models/<name>/ready")
    @api.get("/models/<name>/versions/<version>/ready")
    @describe(about_model(object_schema({"name": STRING, "ready": {"const": True}})))
    def model_ready(name: str, version: str | None = None) -> t.Any:
        """Tell whether a model is served"""
        return jsonify(name=find(name, version).name, ready=True)

    @api.get("/models/<name>/config")
    @api.get("/models/<name>/versions/<version>/config")
    @describe(about_model(object_schema({"name": STRING, "input": OBJECTS, "output": OBJECTS})))
    def model_config(name: str, version: str | None = None) -> t.Any:
        """Return a model's configuration in Triton's format"""
        return jsonify(v2.model_config(find(name, version)))

    @api.get("/models/stats")
    @describe(about_server(ref("Statistics")))
    def all_statistics() -> t.Any:
        """Return the number and duration of the inferences of each served version of each model"""
        return jsonify(statistics.as_json(models().models))

    @api.get("/models/<name>/stats")
    @api.get("/models/<name>/versions/<version>/stats")
    @describe(about_model(ref("Statistics")))
    def model_statistics(name: str, version: str | None = None) -> t.Any:
        """Return the number and duration of the inferences of one version of a model, or of each served version"""
        find(name, version)
        versions = models().versions(name) if version is None else [version]
        return jsonify(statistics.as_json(find(name, each) for each in versions))

    @api.post("/models/<name>/infer")
    @api.post("/models/<name>/versions/<version>/infer")
    @describe(infer_operation)
    def infer(name: str, version: str | None = None) -> t.Any:
        """Run a model on tensors, which can be JSON or binary data"""
        body = read_body()  # first, because a request that is refused must not load an on-demand model
        model = find(name, version)
        return respond(v2.infer(model, body, request.environ.get(HEADER_LENGTH_KEY), statistics))


def add_repository_views(api: Blueprint) -> None:
    """Add the route that lists the repository, and the routes that load and unload models.

    If the setting model_control is off, the routes that load and unload models respond with status 403.
    """

    @api.post("/repository/index")
    @describe(INDEX)
    def index() -> t.Any:
        """List the versions in the repository, and whether each version is served"""
        ready = read_object().get("ready", False)
        if type(ready) is not bool:
            raise BadRequest("ready must be true or false")
        return jsonify(v2.repository_index(models().index(), ready=ready))

    @api.post("/repository/reload")
    @describe(RELOAD)
    def reload() -> t.Any:
        """Load new and changed models, and stop serving removed models (only with the setting model_control)"""
        check_control()
        read_object()
        try:
            done = models().reload()
        except ModelError as error:
            raise BadRequest(models().client_text(error)) from error
        refused = {key: models().client_text(error) for key, error in done.refused.items()}
        return jsonify(added=done.added, changed=done.changed, removed=done.removed, refused=refused)

    @api.post("/repository/models/<name>/load")
    @describe(change_operation)
    def load(name: str) -> t.Any:
        """Load a model, or reload a changed model (only with the setting model_control)"""
        check_control()
        if read_object().get("parameters"):
            raise BadRequest("Load parameters are not supported: a model is loaded unchanged from the repository")
        try:
            models().load(name)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return jsonify({})

    @api.post("/repository/models/<name>/unload")
    @describe(change_operation)
    def unload(name: str) -> t.Any:
        """Stop serving a model (only with the setting model_control)"""
        check_control()
        read_object()
        models().unload(name)
        return jsonify({})


def models() -> ModelRepository:
    """Return the application's models."""
    return t.cast(ModelRepository, current_app.extensions["models"])


def find(name: str, version: str | None) -> Model:
    """Return a version of a model. If ``version`` is None, return the version with the highest number.

    Raises ModelNotFound (404) if the model or the version is not served.
    """
    return models().get(name, version)


def check_control() -> None:
    """Raise Forbidden (403) if the setting model_control is off. Clients may then neither load nor unload models."""
    if not current_app.extensions["settings"].model_control:
        raise Forbidden("Clients may not load and unload models on this server: the setting model_control is off")


def read_body() -> bytes:
    """Return the decompressed body.

    The content type may be JSON, application/octet-stream, or missing. Raises UnsupportedMediaType (415) for any other
    content type, or if the content coding is not supported. Raises BadRequest (400) if the compressed data is corrupt.
    Raises RequestEntityTooLarge (413) if the body is too large. Raises ServiceUnavailable (503) if other large bodies
    take up the memory.
    """
    environ = request.environ
    if environ.get("CONTENT_TYPE") not in PLAIN_TYPES and request.mimetype != OCTETS and not request.is_json:
        raise UnsupportedMediaType(f"Content-Type must be application/json or {OCTETS}")
    coding = environ.get("HTTP_CONTENT_ENCODING", "")
    reserve = partial(current_app.extensions["decoded_bodies"].reserve, environ)
    return decode_body(request.get_data(), coding, request.max_content_length, reserve)


def read_object() -> dict[str, t.Any]:
    """Return the JSON object in the body, or {} if the body is empty.

    Raises InvalidRequest (400) if the body is not a JSON object. Also raises the errors of `read_body`.
    """
    return v2.read_object(read_body() or b"{}", "the request")


def respond(result: v2.Response) -> Response:
    """Return the HTTP response for an inference. If the client accepts compression, a large body is compressed."""
    coding = choose_coding(request.environ.get("HTTP_ACCEPT_ENCODING"), len(result.body))
    body = encode_body(result.body, coding) if coding else result.body
    response = Response(body, mimetype="application/json" if result.json_length is None else OCTETS)
    if coding:
        response.headers["Content-Encoding"] = coding
    if result.json_length is not None:
        response.headers[v2.HEADER_LENGTH] = str(result.json_length)
    return response
