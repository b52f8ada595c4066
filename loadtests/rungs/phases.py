"""Applications that run only the first phases of each request, on Flask or on wsgi_core.

The cost of a phase is the cost of the application that ends with this phase, minus the cost of the application that
ends with the previous phase. All applications send the same empty response, so that they differ only in their phases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from loadtests.instrument.driver import consume, resolve

# In the order of a request. For the last phase, the complete application is called as a server calls it.
PHASES = (
    "request and its context made",
    "contexts pushed and popped",
    "before_request",
    "the view",
    "response made",
    "after_request, session saved",
    "response sent",
    "what holds them together",
)
CONTEXT, PUSH, BEFORE, VIEW, RESPONSE, AFTER, SENT, WHOLE = range(1, len(PHASES) + 1)


def create_app(framework: str, phases: int) -> WSGIApplication:
    """Make an application that runs only the first ``phases`` phases of each request.

    ``framework`` is the ``"module:name"`` of the function that makes the complete application.
    """
    app: Any = resolve(framework)(hooks=True)
    if phases == WHOLE:
        return lambda environ, start_response: _swallowed(app, environ, start_response)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx = app.request_context(environ)
        if phases == CONTEXT:
            # As pop() does. Otherwise the environ and the request would refer to each other, and only the garbage
            # collector could free them.
            environ["werkzeug.request"] = None
        else:
            ctx.push()
            try:
                response = _inside(app, phases)
                result = response(environ, _without_headers(start_response)) if response else ()
            finally:
                ctx.pop(None)
            consume(result)
        if phases < SENT:
            start_response("200 OK", [])
        return ()

    return application


def _inside(app: Any, phases: int) -> Any:
    """Run the phases inside the request context, up to phase number ``phases``.

    If ``phases`` is ``SENT``, return the response, which the caller must send. Otherwise return None.
    """
    if phases == PUSH:
        return None
    app.preprocess_request()
    if phases == BEFORE:
        return None
    value = app.dispatch_request()
    if phases == VIEW:
        return None
    response = app.make_response(value)
    if phases == RESPONSE:
        return None
    response = app.process_response(response)
    return response if phases == SENT else None


def _swallowed(app: Any, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    consume(app(environ, _without_headers(start_response)))
    return ()


def _without_headers(start_response: StartResponse) -> Callable[..., Any]:
    return lambda status, headers, exc_info=None: start_response(status, [])
