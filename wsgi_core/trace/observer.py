"""Take a snapshot of the state at an event: the source lines, the contexts, the hooks and the response.

The attributes of contexts, requests and responses are read from ``__dict__``, because reading a property may run code
of the app.
"""

from __future__ import annotations

import os
import typing as t
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar, Token
from functools import lru_cache
from types import CodeType, FrameType
from weakref import ref

from werkzeug.sansio.response import Response

from .events import HookName, Snapshot, SourceLocation, Values
from .formatting import format_attributes, format_body, format_header, format_value
from .hooks import function_code, function_name
from .phases import WatchList
from .source_paths import short_path

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MAX_CALLS = 12
_MAX_CONTEXTS = 8
_MAX_BODY = 1000
# Attributes of the request object that are not shown, because they say nothing about the request.
_OMITTED = ("environ", "shallow", "json_module")


class Observer:
    """Takes snapshots of the contexts of one app, and of the response of the current request."""

    def __init__(self, app: t.Any, watch_list: WatchList) -> None:
        self._app = app
        self._watch_list = watch_list
        self.begin()

    def begin(self) -> None:
        """Forget the response and the hooks of the previous request."""
        self._hooks: tuple[HookName, ...] = ()
        self._response: ref[Response] | None = None
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self._body = b""
        self._length = 0
        self._is_at_entry = True

    def see(self, value: t.Any) -> None:
        """Remember `value` if it is a response. Only a weak reference is kept."""
        # Not isinstance, because on a proxy it reads the proxied object.
        if issubclass(type(value), Response):
            self._response = ref(value)

    def start(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Remember the status and the headers that the app has passed to the server."""
        self._head = status, list(headers)

    def send(self, chunk: bytes) -> None:
        """Remember a chunk of the body that the app has passed to the server.

        Only the length of the body and its first `_MAX_BODY` bytes are kept.
        """
        self._length += len(chunk)
        self._body = (self._body + chunk)[:_MAX_BODY]

    def take_snapshot(self, frame: FrameType | None) -> Snapshot:
        """Return a snapshot of the current state.

        `frame` is the frame of the event's function, if there is such a function.
        """
        apps, requests = (list(_stack(var)) for var in self._watch_list.variables)
        ctx = _attributes(requests[0]) if requests else None
        request = _attributes(ctx.get("request")) if ctx else None
        if ctx is not None and request is not None:
            self._hooks = tuple(self._planned(ctx, request))
        snapshot = Snapshot(
            tuple(self._entry() if self._is_at_entry else self._locations(frame)),
            {"request context": _names(requests, _request_name), "app context": _names(apps, self._app_name)},
            None if request is None else _request_shown(request),
            None if ctx is None else _session_shown(ctx),
            _g_shown(_attributes(apps[0])) if apps else None,
            self._hooks,
            self._response_shown(),
        )
        self._is_at_entry = False
        return snapshot

    def _app_name(self, ctx: dict[str, t.Any]) -> str:
        app = ctx.get("app")
        name = _literal(_attributes(app).get("import_name", ""))
        return name if app is self._app else f"{name} (another app)"

    # The code

    def _entry(self) -> list[SourceLocation]:
        """Return the location of the WSGI function that the server is about to call.

        If the function is not written in Python, return [].
        """
        code = function_code(self._app.wsgi_app)
        return [] if code is None else [_location(code, code.co_firstlineno)]

    def _locations(self, frame: FrameType | None) -> list[SourceLocation]:
        found: list[SourceLocation] = []
        while frame is not None and len(found) < _MAX_CALLS:
            code = frame.f_code
            if os.path.dirname(code.co_filename) == _OWN_FOLDER:
                break
            if self._is_reported(code):
                found.append(_location(code, frame.f_lineno))
            frame = frame.f_back
        return found[::-1]

    def _is_reported(self, code: CodeType) -> bool:
        """Return whether a snapshot includes calls of `code`.

        The code must belong to the framework, to Werkzeug or to a watched function.
        """
        package = short_path(code.co_filename).partition("/")[0]
        return package in (self._watch_list.package, "werkzeug") or id(code) in self._watch_list.codes

    # The hooks

    def _planned(self, ctx: dict[str, t.Any], request: dict[str, t.Any]) -> Iterator[HookName]:
        endpoint = getattr(request.get("url_rule"), "endpoint", None)
        outwards = [*_blueprints(endpoint), None]
        yield from self._scoped("url value preprocessor", "url_value_preprocessors", outwards[::-1])
        yield from self._scoped("before_request", "before_request_funcs", outwards[::-1])
        if endpoint is not None:
            yield "view", endpoint
        for function in ctx.get("_after_request_functions", ()):
            yield "after_this_request", function_name(function)
        yield from self._scoped("after_request", "after_request_funcs", outwards, -1)
        yield from self._scoped("teardown_request", "teardown_request_funcs", outwards, -1)
        for function in self._app.teardown_appcontext_funcs[::-1]:
            yield "teardown_appcontext", function_name(function)

    def _scoped(self, kind: str, table: str, scopes: list[t.Any], step: int = 1) -> Iterator[HookName]:
        functions = getattr(self._app, table)
        for scope in scopes:
            for function in list(functions.get(scope, ()))[::step]:
                yield kind, function_name(function)

    # The response

    def _response_shown(self) -> Values | None:
        if self._head is not None:
            status, headers = self._head
            return {"": "sent", **_head_shown(status, headers), "body": format_body(self._body, self._length)}
        response = self._response and self._response()
        if not response:
            return None
        known = vars(response)
        headers = list(getattr(known.get("headers"), "_list", ()))
        return {"": "being made", **_head_shown(known.get("_status", ""), headers), "body": _body_of(known)}


def _head_shown(status: str, headers: list[tuple[str, str]]) -> Values:
    values = {"status": status}
    seen: Counter[str] = Counter()
    for name, value in headers:
        seen[name] += 1
        key = name if seen[name] == 1 else f"{name} ({seen[name]})"
        values[key] = format_header(name, value)
    return values


def _body_of(response: dict[str, t.Any]) -> str:
    """Return the body of a response as `format_body` shows it, if the body is a list of bytes.

    Do not iterate over any other body. Return a remark instead, or an empty string if there is no body.
    """
    body = response.get("response")
    if type(body) is not list or not all(type(chunk) is bytes for chunk in body):
        return "still to be generated" if body is not None else ""
    whole = b"".join(body)
    return format_body(whole, len(whole))


# The contexts


def _attributes(value: t.Any) -> dict[str, t.Any]:
    """Return the ``__dict__`` of an object, or {} if the object has none. This calls no property."""
    try:
        known: dict[str, t.Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return known


def _stack(var: ContextVar[t.Any]) -> Iterator[t.Any]:
    """Yield the current context, and then the contexts below it on the stack. At most `_MAX_CONTEXTS` are yielded.

    Each push stores a token in the context. The token holds the context that was current before the push.
    """
    ctx, visits = var.get(None), Counter[int]()
    while ctx is not None and visits.total() < _MAX_CONTEXTS:
        yield ctx
        visits[id(ctx)] += 1
        pushed = _tokens(_attributes(ctx).get("_cv_tokens", ()))
        if len(pushed) < visits[id(ctx)]:
            return
        token = pushed[-visits[id(ctx)]]
        ctx = None if token.old_value is Token.MISSING else token.old_value


def _tokens(pushed: t.Any) -> list[Token[t.Any]]:
    """Return the tokens of a context's pushes, the oldest first.

    Flask keeps the tokens in a list. The core keeps them in nested tuples.
    """
    if isinstance(pushed, list):
        return [token[0] if isinstance(token, tuple) else token for token in pushed]
    return [*_tokens(pushed[-1]), pushed[0]] if pushed else []


def _names(contexts: list[t.Any], name: t.Callable[[dict[str, t.Any]], str]) -> str:
    return " over ".join(name(_attributes(ctx)) for ctx in contexts) or "none"


def _request_name(ctx: dict[str, t.Any]) -> str:
    environ = _attributes(ctx.get("request")).get("environ", {})
    return _literal(f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}")


def _literal(text: str) -> str:
    """Return the text as `format_value` shows it, without the quotes."""
    shown = format_value(text)
    # If the text was cut, it ends with an ellipsis instead of the closing quote.
    return shown[1:] if shown.endswith("…") else shown[1:-1]


def _request_shown(request: dict[str, t.Any]) -> Values:
    values = format_attributes((name, value) for name, value in request.items() if name not in _OMITTED)
    return {**values, "environ": f"{len(request.get('environ', ()))} entries"}


def _session_shown(ctx: dict[str, t.Any]) -> Values:
    session = ctx.get("_session", ctx.get("_opened_session"))
    if session is None:
        return {"": "not opened"}
    if not issubclass(type(session), dict):
        return {"": format_value(session)}
    return format_attributes((str(key), value) for key, value in dict.items(session)) or {"": "empty"}


def _g_shown(ctx: dict[str, t.Any]) -> Values:
    return format_attributes(_attributes(ctx.get("g")).items()) or {"": "empty"}


def _blueprints(endpoint: str | None) -> list[str]:
    """Return the names of the endpoint's blueprint and of its parent blueprints, the innermost first."""
    parts = (endpoint or "").split(".")[:-1]
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


# Source locations


def _location(code: CodeType, line: int | None) -> SourceLocation:
    first = code.co_firstlineno
    return SourceLocation(
        code.co_filename, short_path(code.co_filename), code.co_qualname, first, _last_line(code), line or first
    )


@lru_cache(maxsize=2048)
def _last_line(code: CodeType) -> int:
    lines = [line for _, _, line in code.co_lines() if line is not None]
    inner = [_last_line(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return max([code.co_firstlineno, *lines, *inner])
