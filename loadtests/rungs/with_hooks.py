"""The application of ``with_contexts.py`` with support for before, after and teardown functions, and error handlers.

It has Flask's lifecycle for one application, without blueprints, sessions and signals. No function and no error handler
is registered, so the rung measures only the mechanism.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from loadtests.rungs.with_contexts import RequestContext, request
from loadtests.rungs.work import OTHER_ROUTES, load_model, to_json

logger = logging.getLogger(__name__)


class Application:
    """A small framework: views by endpoint, lists of hooks, and error handlers.

    ``create_app`` registers no hook, but each request iterates over the lists.
    """

    def __init__(self) -> None:
        self.url_map = Map()
        self.views: dict[str, Callable[..., Response]] = {}
        self.before: list[Callable[[], Response | None]] = []
        self.after: list[Callable[[Response], Response]] = []
        self.teardown: list[Callable[[BaseException | None], None]] = []
        self.error_handlers: dict[type[Exception], Callable[[Any], Any]] = {}

    def route(self, rule: str, endpoint: str, view: Callable[..., Response], methods: list[str] | None = None) -> None:
        """Register ``view`` for ``rule``. If ``methods`` is None, the rule matches every method."""
        self.url_map.add(Rule(rule, endpoint=endpoint, methods=methods))
        self.views[endpoint] = view

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        failed: BaseException | None = None
        with RequestContext(environ, self.url_map) as context:
            try:
                try:
                    response = self._dispatch(context)
                except Exception as error:
                    failed = error
                    response = self._handle(error)
                for function in reversed(self.after):
                    response = function(response)
                return response(environ, start_response)
            finally:
                for ending in reversed(self.teardown):
                    ending(failed)

    def _dispatch(self, context: RequestContext) -> Response:
        for function in self.before:
            answered = function()
            if answered is not None:
                return answered
        endpoint, values = context.adapter.match()
        return self.views[endpoint](**values)

    def _handle(self, error: Exception) -> Any:
        """Return the response of the error handler for ``error``. Without a handler, return an error response.

        If several handlers match, the handler for the nearest class in the MRO of ``error`` is called.
        """
        for kind in type(error).__mro__:
            if kind in self.error_handlers:
                return self.error_handlers[kind](error)
        if isinstance(error, HTTPException):
            return error.get_response()
        logger.exception("the view failed")
        return InternalServerError(original_exception=error).get_response()


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)
    app = Application()
    for number, rule in enumerate(OTHER_ROUTES):
        app.route(rule, f"other_{number}", _other)

    def predict_view() -> Response:
        return Response(to_json(predict(request.get_json())), mimetype="application/json")

    app.route("/predict", "predict", predict_view, methods=["POST"])
    return app


def _other(**values: Any) -> Response:
    return Response("never requested")
