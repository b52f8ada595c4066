"""The application of ``with_routing.py`` with contexts, so that a view can import ``request`` and ``g``."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import SimpleNamespace, TracebackType
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from loadtests.rungs.work import OTHER_ROUTES, load_model, to_json


class AppContext:
    """An application context: it exists for one request and holds ``g``."""

    def __init__(self) -> None:
        self.g = SimpleNamespace()

    def __enter__(self) -> Self:
        self._token: Token[AppContext] = _app.set(self)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _app.reset(self._token)


class RequestContext:
    """A request context: one request and its URL adapter. ``with`` also enters an application context."""

    def __init__(self, environ: WSGIEnvironment, url_map: Map) -> None:
        self.request = Request(environ)
        self.adapter = url_map.bind_to_environ(environ)

    def __enter__(self) -> Self:
        self._around = AppContext().__enter__()
        self._token: Token[RequestContext] = _request.set(self)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _request.reset(self._token)
        self._around.__exit__(kind, error, trace)


_app: ContextVar[AppContext] = ContextVar("app_context")
_request: ContextVar[RequestContext] = ContextVar("request_context")
g: SimpleNamespace = LocalProxy(_app, "g")  # type: ignore[assignment]
request: Request = LocalProxy(_request, "request")  # type: ignore[assignment]


def create_app(model: str = "null") -> WSGIApplication:
    predict = load_model(model)

    def predict_view() -> Response:
        return Response(to_json(predict(request.get_json())), mimetype="application/json")

    views = {"predict": predict_view, "other": _other}
    url_map = Map([Rule(rule, endpoint="other") for rule in OTHER_ROUTES])
    url_map.add(Rule("/predict", endpoint="predict", methods=["POST"]))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with RequestContext(environ, url_map) as context:
            try:
                endpoint, values = context.adapter.match()
                response = views[endpoint](**values)
            except HTTPException as error:
                return error(environ, start_response)
            return response(environ, start_response)

    return application


def _other(**values: Any) -> Response:
    return Response("never requested")
