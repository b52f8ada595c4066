"""A request cut off after each of its phases, on Flask and on the core alike: both have the same methods.

Prefix by prefix one phase more is carried out; what a phase costs is the difference of two prefixes. All of them
answer the same nothing, so that they differ in the phases only: the answers themselves are compared elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from loadtests.instrument.driver import resolve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# In the order of the request. With the last one the prefix is the application itself, called as a server calls it.
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
    """Return the first ``phases`` of a request to the rung ``framework`` (``"module:name"``) with its hooks."""
    app: Any = resolve(framework)(hooks=True)
    if phases == WHOLE:
        return lambda environ, start_response: _swallowed(app, environ, start_response)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx = app.request_context(environ)
        if phases == CONTEXT:
            # As pop does it: the environ and the request refer to each other, and would wait for the collector.
            environ["werkzeug.request"] = None
        else:
            ctx.push()
            try:
                response = _inside(app, phases)
                result = response(environ, _without_headers(start_response)) if response else ()
            finally:
                ctx.pop(None)
            _consume(result)
        if phases < SENT:
            start_response("200 OK", [])
        return ()

    return application


def _inside(app: Any, phases: int) -> Any:
    """Carry out what comes between push and pop; return the response only if it is to be sent."""
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
    _consume(app(environ, _without_headers(start_response)))
    return ()


def _without_headers(start_response: StartResponse) -> Callable[..., Any]:
    return lambda status, headers, exc_info=None: start_response(status, [])


def _consume(result: Iterable[bytes]) -> None:
    for _chunk in result:
        pass
    close = getattr(result, "close", None)
    if close is not None:
        close()
