"""The application with the HTTP API of the models.

This module exists twice: on wsgi_core and on Flask. A test checks that the two texts differ only in their import lines.
"""

from __future__ import annotations

import os
import typing as t
from time import perf_counter

from flask import Flask as Application
from flask import Request, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from wsgi_core.inference import InputError, InvalidFeatures, ModelNotFound, ModelRepository, OutOfMemory, strict_json
from wsgi_core.inference.timing import add as add_phase
from wsgi_core.inference.work import Cancelled, DeadlineExceeded
from wsgi_core.shared.access import access_check
from wsgi_core.shared.cache import built_models_dir
from wsgi_core.shared.content_coding import DecodedBodies
from wsgi_core.shared.cors import cross_origin
from wsgi_core.shared.deadlines import limit_work
from wsgi_core.shared.gunicorn import stop_gunicorn_cleanly
from wsgi_core.shared.head import HeadCheck
from wsgi_core.shared.observability import begin_request, observed_request
from wsgi_core.shared.openapi import describe
from wsgi_core.shared.openapi.inputs import payload_schema, prediction_schema
from wsgi_core.shared.openapi.operations import BODY_ERRORS, JSON, TEXT, Operation, errors, ok
from wsgi_core.shared.readiness import Readiness
from wsgi_core.shared.retrieval import Assistant, chat_endpoint
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import load_settings
from wsgi_core.shared.webhooks import open_jobs

from .views import async_data, chat, demo, docs, health, loan, metrics, oip, sentiment, stream, webhooks


class ServiceRequest(Request):
    """A request whose error for invalid JSON says what is wrong with the JSON.

    If the body is larger than the limit, `get_data` and `get_json` raise RequestEntityTooLarge (413), even if Werkzeug
    would truncate the body.
    """

    _too_large = False

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> t.Any:
        base: t.Any = super()
        data = base.get_data(cache, False, parse_form_data)
        if self.environ.get("CONTENT_LENGTH") != str(len(data)):
            self._check_limit(data)
        return data.decode(errors="replace") if as_text else data

    def _check_limit(self, data: bytes) -> None:
        limit = self.max_content_length
        # If wsgi.input_terminated is set, Werkzeug stops at the limit without an error, even if more data follows.
        at_limit = limit is not None and len(data) >= limit and "wsgi.input_terminated" in self.environ
        if at_limit and (self._too_large or self.environ["wsgi.input"].read(1)):
            self._too_large = True  # the byte is read, so the next call could not find it again
            raise RequestEntityTooLarge()

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> t.Any:
        base: t.Any = super()
        start = perf_counter()
        try:
            return base.get_json(force, silent, cache)
        finally:
            add_phase("parse", perf_counter() - start)

    def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
        if e is None:
            return super().on_json_loading_failed(e)
        raise BadRequest(f"The body is not JSON: {e}") from e


class ServiceJSON(DefaultJSONProvider):
    """A JSON provider that parses with `strict_json`, and records the time of each encoding."""

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        return strict_json.loads(s)

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        start = perf_counter()
        try:
            return super().dumps(obj, **kwargs)
        finally:
            add_phase("encode", perf_counter() - start)


class Service(Application):
    """The application class of the service. Each request gets an id, is counted in the metrics, and can be logged.

    check_access: takes the WSGI environ of a request, and raises an HTTPException if the settings refuse the request
    """

    # PERF: three methods of the lifecycle are overridden. Hooks would need more calls, and would use the request proxy.
    request_class = ServiceRequest
    json_provider_class = ServiceJSON
    check_access: t.Callable[[t.Mapping[str, t.Any]], None]

    def wsgi_app(self, environ: t.Any, start_response: t.Any) -> t.Any:
        """Handle the request, and measure it for the metrics and the log."""
        observed = begin_request(environ)
        try:
            return super().wsgi_app(environ, start_response)
        finally:
            self.extensions["decoded_bodies"].release(environ)
            observed.deactivate()

    def preprocess_request(self) -> t.Any:
        """Check whether the request is allowed and set its deadline, then call the before_request functions.

        Model runs are stopped at the deadline, or if the server reports that the connection is closed.
        """
        observed = observed_request()
        assert observed is not None, "wsgi_app() must be called before preprocess_request()"
        self.check_access(observed.environ)
        limit_work(observed, observed.environ, self.extensions["settings"].request_timeout)
        return super().preprocess_request()

    def process_response(self, response: t.Any) -> t.Any:
        """Call the after_request functions, then add headers such as the request's id and times."""
        response = super().process_response(response)
        if observed := observed_request():
            rule = observed.environ["werkzeug.request"].url_rule
            # PERF: no Headers.add(), which would search each value for line breaks. These values contain none.
            response.headers._list += observed.set_response(response.status_code, rule.rule if rule else "")
            # With direct_passthrough, close() is not called, so the end of the response cannot be observed.
            observed.streamed = response.is_streamed and not response.direct_passthrough
            if observed.streamed:
                response.call_on_close(observed.finish)
        return response


def create_app(models: str | os.PathLike[str] | None = None, settings: Settings | None = None) -> Service:
    """Return the service for the models in the folder ``models``, by default the folder in the setting `models`.

    If ``settings`` is None, the settings come from wsgi-core.toml and the environment. If ``models`` and the setting
    `models` are both empty, the service has the models that come with the project. In this case, the service also has
    the models that `wsgi-core models build` has built.

    Raises ConfigurationError if a setting is not valid, or if the job store is not available. Raises ModelError if a
    model cannot be served.
    """
    app = Service("wsgi_core.service", static_folder=None)
    # APPSEC: no rule but / ends with a slash, and slashes are not merged, so no redirect goes to the client's Host.
    app.url_map.merge_slashes = False
    settings = settings or load_settings().settings
    app.config["MAX_CONTENT_LENGTH"] = settings.max_content_length
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    folder = models or settings.models
    on_demand = [] if folder else [built_models_dir()]
    repository = ModelRepository(folder, on_demand=on_demand, settings=settings, own_settings=settings.model_settings)
    app.extensions["settings"] = settings
    app.extensions["models"] = repository
    app.extensions["assistant"] = Assistant(repository, chat_endpoint(settings))
    app.extensions["jobs"] = open_jobs(settings, repository) if settings.webhook_secrets else None
    app.extensions["decoded_bodies"] = DecodedBodies(settings.max_content_length, settings.request_timeout)
    app.extensions["readiness"] = Readiness()
    app.check_access = access_check(settings)
    app.extensions["check_head"] = HeadCheck(app, app.check_access)
    add_views(app, repository)
    add_blueprints(app)
    add_error_handlers(app)
    if settings.cors_origins:
        add_cors(app, settings.cors_origins)
    stop_gunicorn_cleanly(app)
    return app


def add_blueprints(app: Service) -> None:
    """Register the blueprints of the modules in `views`."""
    app.register_blueprint(demo.blueprint())
    app.register_blueprint(docs.blueprint())
    app.register_blueprint(health.blueprint())
    app.register_blueprint(async_data.blueprint())
    app.register_blueprint(chat.blueprint())
    app.register_blueprint(loan.blueprint())
    app.register_blueprint(metrics.blueprint())
    app.register_blueprint(oip.blueprint())
    app.register_blueprint(sentiment.blueprint())
    app.register_blueprint(stream.blueprint())
    app.register_blueprint(webhooks.blueprint())


def predict_operation(models: ModelRepository) -> Operation:
    """Return the OpenAPI operation of POST /predict."""
    model = models.find("churn")
    return Operation(
        "Predictions",
        {200: ok(prediction_schema(model.card if model else None), "The prediction"), **errors(*BODY_ERRORS)},
        body={JSON: payload_schema(model)},
        description='An object is one row. A list of objects, or `{"instances": [...]}`, is a batch.',
    )


def add_views(app: Service, repository: ModelRepository) -> None:
    """Add the routes /predict and /healthz."""

    @app.post("/predict")
    @describe(predict_operation)
    def predict() -> t.Any:
        """Predict the churn probability of one customer or of a batch of customers"""
        return repository.get("churn").predict(request.get_json())

    @app.get("/healthz")
    @describe(Operation("Operation", {200: ok({"const": "ok"}, "The process is alive", TEXT)}))
    def healthz() -> t.Any:
        """Return "ok" if the process is alive"""
        return Response("ok", mimetype="text/plain")


def add_cors(app: Service, origins: t.Sequence[str]) -> None:
    """Allow web pages of `origins` to read responses of the service."""
    add_headers = cross_origin(origins)

    @app.after_request
    def allow_origin(response: t.Any) -> t.Any:
        add_headers(request.environ, response.headers)
        return response


def add_error_handlers(app: Service) -> None:
    """Register error handlers that respond with JSON: ``{"error": ...}``, and also ``fields`` for InvalidFeatures.

    Headers of an HTTPException, such as Allow, are kept.
    """

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> t.Any:
        headers = Headers(error.get_headers())  # a list would keep only the last header of each name
        del headers["Content-Type"]
        return jsonify(error=error.description or error.name), error.code, headers

    @app.errorhandler(InvalidFeatures)
    def invalid_features(error: InvalidFeatures) -> t.Any:
        return jsonify(error=error.message, fields=error.fields), 422

    @app.errorhandler(InputError)
    def input_error(error: InputError) -> t.Any:
        return jsonify(error=error.message), 400

    @app.errorhandler(DeadlineExceeded)
    def deadline_exceeded(error: DeadlineExceeded) -> t.Any:
        return jsonify(error=str(error)), 504

    @app.errorhandler(Cancelled)
    def cancelled(error: Cancelled) -> t.Any:
        # 499 is nginx's status for a closed connection. The client does not receive this response.
        return jsonify(error=str(error)), 499

    @app.errorhandler(MemoryError)
    def out_of_memory(error: MemoryError) -> t.Any:
        retry_after = str(app.extensions["settings"].retry_after)
        message = str(error) if isinstance(error, OutOfMemory) else "out of memory"
        return jsonify(error=message), 503, {"Retry-After": retry_after}

    @app.errorhandler(ModelNotFound)
    def model_not_found(error: ModelNotFound) -> t.Any:
        return jsonify(error=str(error)), 404
