"""The HTTP API around the models, as thin views: what they do lives in `inference`.

There are two of this module, one on wsgi_core and one on Flask. They differ in their import lines and in
nothing else, so that both apps do the same work; a test compares the texts.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
import typing as t
from urllib.parse import quote

from flask import Flask as Application
from flask import Request, Response, g, jsonify, render_template, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from wsgi_core.inference import InputError, InvalidFeatures, ModelNotFound, ModelRepository, strict_json
from wsgi_core.settings import Settings

access_log = logging.getLogger("wsgi_core.access")

# What a client may choose as a request's id: it comes back in a header and stands in the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)


class ServiceRequest(Request):
    """A request whose JSON errors say what is wrong with the JSON, and whose body is never cut."""

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> t.Any:
        data = t.cast(t.Any, super()).get_data(cache, as_text, parse_form_data)
        limit = self.max_content_length
        # Where the server ends the stream Werkzeug stops at the limit without a word, whether or not more follows.
        at_limit = limit is not None and len(data) >= limit and "wsgi.input_terminated" in self.environ
        if at_limit and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge()
        return data

    def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
        if e is None:
            return super().on_json_loading_failed(e)
        raise BadRequest(f"The body is not JSON: {e}") from e


class ServiceJSON(DefaultJSONProvider):
    """JSON as RFC 8259 has it: no NaN, no Infinity, no unbounded nesting."""

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        return strict_json.loads(s)


class Service(Application):
    """The application class of the service."""

    request_class = ServiceRequest
    json_provider_class = ServiceJSON


def create_app(models: str | os.PathLike[str] | None = None, settings: Settings | None = None) -> Service:
    """The service for the models in the folder ``models``, by default those that ``settings`` names.

    Every model is loaded and warmed up before this returns. Raises ModelError if one can't be.
    """
    app = Service("wsgi_core", static_folder=None)
    settings = settings or Settings()
    app.config["MAX_CONTENT_LENGTH"] = settings.max_content_length
    repository = ModelRepository(models or settings.models)
    app.extensions["settings"] = settings
    app.extensions["models"] = repository
    add_views(app, repository)
    add_blueprints(app)
    add_hooks(app)
    add_error_handlers(app)
    return app


def add_blueprints(app: Service) -> None:
    """The routes that have modules of their own."""


def add_views(app: Service, repository: ModelRepository) -> None:
    """The routes."""

    @app.post("/predict")
    def predict() -> t.Any:
        """Churn: the probability for one customer, or for each of several"""
        return repository.get("churn").predict(request.get_json())

    @app.get("/healthz")
    def healthz() -> t.Any:
        """ok, as soon as the models are loaded"""
        return Response("ok", mimetype="text/plain")

    @app.get("/")
    def index() -> t.Any:
        """This page"""
        routes = [
            (
                ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})),
                rule.rule,
                app.view_functions[rule.endpoint],
            )
            for rule in app.url_map.iter_rules()
        ]
        return render_template("index.html", routes=routes, models=repository.models)


def add_hooks(app: Service) -> None:
    """A request id, the time that the request took, and a line in the access log."""

    @app.before_request
    def start_clock() -> None:
        g.start = time.perf_counter()
        given = request.environ.get("HTTP_X_REQUEST_ID", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def set_headers(response: t.Any) -> t.Any:
        g.status = response.status_code
        g.elapsed_ms = (time.perf_counter() - g.start) * 1000
        response.headers["X-Request-ID"] = g.request_id
        response.headers["X-Response-Time-ms"] = f"{g.elapsed_ms:.3f}"
        return response

    @app.teardown_request
    def write_access_log(exc: BaseException | None) -> None:
        if access_log.isEnabledFor(logging.INFO):
            path = quote(request.path, safe="/:@!$&'()*+,;=~")
            status, elapsed_ms = g.get("status", 500), g.get("elapsed_ms", 0.0)
            access_log.info("%s %s %s %.3f ms id=%s", request.method, path, status, elapsed_ms, g.get("request_id"))


def add_error_handlers(app: Service) -> None:
    """Every error is answered in JSON, ``{"error": ...}``, with the headers that belong to it."""

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> t.Any:
        headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
        return jsonify(error=error.description or error.name), error.code, headers

    @app.errorhandler(InvalidFeatures)
    def invalid_features(error: InvalidFeatures) -> t.Any:
        return jsonify(error=error.message, fields=error.fields), 422

    @app.errorhandler(InputError)
    def input_error(error: InputError) -> t.Any:
        return jsonify(error=error.message), 400

    @app.errorhandler(ModelNotFound)
    def model_not_found(error: ModelNotFound) -> t.Any:
        return jsonify(error=str(error)), 404
