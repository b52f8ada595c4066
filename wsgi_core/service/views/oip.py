"""The Open Inference Protocol, version 2, over REST: what tritonclient and KServe's client speak.

What the requests mean lives in `inference.v2`; here are the routes, the headers and the content codings.
"""

from __future__ import annotations

import typing as t
from functools import partial

from werkzeug.exceptions import BadRequest, Forbidden, ServiceUnavailable, UnsupportedMediaType

from wsgi_core import Blueprint, Response, current_app, jsonify, request
from wsgi_core.inference import Model, ModelError, ModelRepository, v2
from wsgi_core.shared.content_coding import choose_coding, decode_body, encode_body

HEADER_LENGTH = "Inference-Header-Content-Length"
HEADER_LENGTH_KEY = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"
OCTETS = "application/octet-stream"
# What clients really send, known without taking a type apart.
PLAIN_TYPES = (None, "", "application/json", OCTETS)


def blueprint() -> Blueprint:
    """The routes below /v2."""
    api = Blueprint("oip", __name__, url_prefix="/v2")
    statistics = v2.Statistics()
    add_server_views(api)
    add_model_views(api, statistics)
    add_repository_views(api)
    return api


def add_server_views(api: Blueprint) -> None:
    """What is asked about the server."""

    @api.get("", strict_slashes=False)
    def server_metadata() -> t.Any:
        """The server's name, version and extensions"""
        return jsonify(v2.server_metadata())

    @api.get("/health/live")
    def live() -> t.Any:
        """Whether the process lives"""
        return jsonify(live=True)

    @api.get("/health/ready")
    def ready() -> t.Any:
        """Whether requests are welcome; 503 once the server stops"""
        if not current_app.extensions["readiness"].ready:
            raise ServiceUnavailable("stopping", retry_after=current_app.extensions["settings"].retry_after)
        return jsonify(ready=True)


def add_model_views(api: Blueprint, statistics: v2.Statistics) -> None:
    """What is asked about a model, and of it; without a version its newest."""

    @api.get("/models/<name>")
    @api.get("/models/<name>/versions/<version>")
    def model_metadata(name: str, version: str | None = None) -> t.Any:
        """A model's inputs, outputs and versions"""
        return jsonify(v2.model_metadata(find(name, version), models().versions(name)))

    @api.get("/models/<name>/ready")
    @api.get("/models/<name>/versions/<version>/ready")
    def model_ready(name: str, version: str | None = None) -> t.Any:
        """Whether a model is served"""
        return jsonify(name=find(name, version).name, ready=True)

    @api.get("/models/<name>/config")
    @api.get("/models/<name>/versions/<version>/config")
    def model_config(name: str, version: str | None = None) -> t.Any:
        """A model's configuration, as Triton words it"""
        return jsonify(v2.model_config(find(name, version)))

    @api.get("/models/stats")
    def all_statistics() -> t.Any:
        """How often each model was asked, and where the time went"""
        return jsonify(statistics.as_json(models().models))

    @api.get("/models/<name>/stats")
    @api.get("/models/<name>/versions/<version>/stats")
    def model_statistics(name: str, version: str | None = None) -> t.Any:
        """How often a model was asked, in all its versions unless one is named"""
        find(name, version)
        versions = models().versions(name) if version is None else [version]
        return jsonify(statistics.as_json(find(name, each) for each in versions))

    @api.post("/models/<name>/infer")
    @api.post("/models/<name>/versions/<version>/infer")
    def infer(name: str, version: str | None = None) -> t.Any:
        """An inference, its tensors as JSON or as bytes behind it"""
        model = find(name, version)
        answer = v2.infer(model, read_body(), request.environ.get(HEADER_LENGTH_KEY), statistics)
        return respond(answer)


def add_repository_views(api: Blueprint) -> None:
    """What is asked about the repository, and, where the operator allows it, done to it."""

    @api.post("/repository/index")
    def index() -> t.Any:
        """Every version in the repository, and whether it is served"""
        ready = read_object().get("ready", False)
        if type(ready) is not bool:
            raise BadRequest("ready must be true or false")
        return jsonify(v2.repository_index(models().index(), ready=ready))

    @api.post("/repository/reload")
    def reload() -> t.Any:
        """Look at all models again, load what is new or has changed; off unless the operator allows it"""
        check_control()
        read_object()
        try:
            done = models().reload()
        except ModelError as error:
            raise BadRequest(models().inside(str(error))) from error
        refused = {key: models().inside(reason) for key, reason in done.refused.items()}
        return jsonify(added=done.added, changed=done.changed, removed=done.removed, refused=refused)

    @api.post("/repository/models/<name>/load")
    def load(name: str) -> t.Any:
        """Load a model, or look at it again; off unless the operator allows it"""
        check_control()
        if read_object().get("parameters"):
            raise BadRequest("A model is loaded as it lies in the repository; parameters are not supported")
        try:
            models().load(name)
        except ModelError as error:
            raise BadRequest(str(error)) from error
        return jsonify({})

    @api.post("/repository/models/<name>/unload")
    def unload(name: str) -> t.Any:
        """Serve a model no longer; off unless the operator allows it"""
        check_control()
        read_object()
        models().unload(name)
        return jsonify({})


def models() -> ModelRepository:
    """The application's models."""
    return t.cast(ModelRepository, current_app.extensions["models"])


def find(name: str, version: str | None) -> Model:
    """A model, the newest version unless one is named. Raises ModelNotFound (404)."""
    return models().get(name, version)


def check_control() -> None:
    """Forbidden (403) unless clients may load and unload models."""
    if not current_app.extensions["settings"].model_control:
        raise Forbidden("Loading and unloading models is off; the setting model_control allows it")


def read_body() -> bytes:
    """The body, unpacked. 415 for another type than JSON, bytes or none, and for a coding that is not known.

    The clients send no type at all, or bytes as the type of JSON.
    """
    environ = request.environ
    if environ.get("CONTENT_TYPE") not in PLAIN_TYPES and request.mimetype != OCTETS and not request.is_json:
        raise UnsupportedMediaType(f"Content-Type must be application/json or {OCTETS}")
    coding = environ.get("HTTP_CONTENT_ENCODING", "")
    admit = partial(current_app.extensions["decoded_bodies"].admit, environ)
    return decode_body(request.get_data(), coding, request.max_content_length, admit)


def read_object() -> dict[str, t.Any]:
    """The body's JSON object; an empty body stands for an empty one."""
    return v2.read_object(read_body() or b"{}", "the request")


def respond(answer: v2.Answer) -> Response:
    """The response with this answer, compressed if the client accepts that and there is enough of it."""
    coding = choose_coding(request.environ.get("HTTP_ACCEPT_ENCODING"), len(answer.body))
    body = encode_body(answer.body, coding) if coding else answer.body
    response = Response(body, mimetype="application/json" if answer.json_length is None else OCTETS)
    if coding:
        response.headers["Content-Encoding"] = coding
    if answer.json_length is not None:
        response.headers[HEADER_LENGTH] = str(answer.json_length)
    return response
