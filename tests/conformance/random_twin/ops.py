"""The operations that the functions of a program can perform, by name.

An operation gets the world, the first argument of its function (the response for an ``after_request``, the error for a
handler or teardown, or None), and its own arguments. Its return value is recorded. An exception is recorded and raised.
"""

from __future__ import annotations

import threading
import typing as t
import uuid
from collections.abc import Callable

from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound

from .program import Func, Op
from .world import World, plain_headers

OPS: dict[str, Callable[..., t.Any]] = {}

DEEPEST = 2  # the maximum depth of contexts that operations open inside each other


def op(name: str) -> Callable[[Callable[..., t.Any]], Callable[..., t.Any]]:
    """Return a decorator that adds a function to `OPS`."""

    def decorator(f: Callable[..., t.Any]) -> Callable[..., t.Any]:
        OPS[name] = f
        return f

    return decorator


# Reading the request. The name of an operation says what it reads.

_READS: dict[str, Callable[[t.Any], t.Any]] = {
    "args": lambda r: r.args,
    "args missing": lambda r: r.args["missing"],
    "form": lambda r: r.form,
    "form missing": lambda r: r.form["missing"],
    "values": lambda r: r.values,
    "files": lambda r: r.files,
    "files missing": lambda r: r.files["a"],
    "json": lambda r: r.json,
    "json silent": lambda r: r.get_json(silent=True),
    "json forced": lambda r: r.get_json(force=True, cache=False),
    "data": lambda r: r.data,
    "data uncached": lambda r: r.get_data(cache=False),
    "text": lambda r: r.get_data(as_text=True),
    "data or form": lambda r: r.get_data(parse_form_data=True),
    "stream": lambda r: r.stream.read(),
    "stream start": lambda r: r.stream.read(2),
    "cookies": lambda r: sorted(name for name in r.cookies if name != "session"),
    "url": lambda r: (r.url, r.base_url, r.url_root, r.host_url, r.full_path),
    "host": lambda r: (r.host, r.root_path, r.script_root, r.scheme, r.is_secure, r.server),
    "method": lambda r: (r.method, r.path, r.query_string, r.remote_addr),
    "route": lambda r: (r.endpoint, r.blueprint, r.blueprints, r.view_args, str(r.url_rule)),
    "routing error": lambda r: r.routing_exception,
    "length": lambda r: (r.content_length, r.content_type, r.mimetype, r.is_json),
    "headers": lambda r: [item for item in r.headers if item[0] != "Cookie"],
    "limits": lambda r: (r.max_content_length, r.max_form_memory_size, r.max_form_parts),
    "limit body": lambda r: setattr(r, "max_content_length", 3),
    "limit form": lambda r: setattr(r, "max_form_memory_size", 2),
    "repr": lambda r: repr(r),
    "close": lambda r: r.close(),
}


def _read(get: Callable[[t.Any], t.Any]) -> Callable[..., t.Any]:
    return lambda world, given: get(world.lib.request)


OPS.update({name: _read(get) for name, get in _READS.items()})


# The session, g and flashed messages

_SESSION: dict[str, Callable[[t.Any], t.Any]] = {
    "session read": lambda s: dict(s),
    "session get": lambda s: s.get("n"),
    "session set": lambda s: s.update(n=s.get("n", 0) + 1),
    "session item": lambda s: s["n"],
    "session pop": lambda s: s.pop("n", None),
    "session delete": lambda s: s.__delitem__("n"),
    "session clear": lambda s: s.clear(),
    "session nested": lambda s: s.setdefault("list", []).append(1),
    "session types": lambda s: s.update(t=(1, b"x", Markup("<b>")), u=uuid.UUID(int=5), d={" t": [None]}),
    "session permanent": lambda s: setattr(s, "permanent", True),
    "session passing": lambda s: setattr(s, "permanent", False),
    "session modified": lambda s: setattr(s, "modified", True),
    "session untouched": lambda s: setattr(s, "modified", False),
    "session flags": lambda s: (s.new, s.modified, s.accessed, s.permanent),
    "session bad": lambda s: s.update(bad=object()),
    "session large": lambda s: s.update(large="x" * 4200),
    "session empty": lambda s: not s,
}


def _on_session(change: Callable[[t.Any], t.Any]) -> Callable[..., t.Any]:
    return lambda world, given: change(world.lib.session)


OPS.update({name: _on_session(change) for name, change in _SESSION.items()})


@op("flash")
def _flash(world: World, given: t.Any) -> None:
    world.lib.flash("hello", "info")


@op("flashed")
def _flashed(world: World, given: t.Any) -> t.Any:
    return world.lib.get_flashed_messages(with_categories=True)


@op("g set")
def _g_set(world: World, given: t.Any) -> None:
    world.lib.g.n = world.lib.g.get("n", 0) + 1


@op("g read")
def _g_read(world: World, given: t.Any) -> t.Any:
    return {name: world.lib.g.get(name) for name in sorted(world.lib.g)}


@op("g missing")
def _g_missing(world: World, given: t.Any) -> t.Any:
    return world.lib.g.n


@op("g pop")
def _g_pop(world: World, given: t.Any) -> t.Any:
    return world.lib.g.pop("n")


# The app


@op("contexts")
def _contexts(world: World, given: t.Any) -> t.Any:
    return (world.lib.has_app_context(), world.lib.has_request_context(), bool(world.lib.current_app))


@op("url_for")
def _url_for(world: World, given: t.Any, endpoint: str, values: tuple[tuple[str, t.Any], ...] = ()) -> t.Any:
    return world.lib.url_for(endpoint, **dict(values))


@op("log")
def _log(world: World, given: t.Any) -> None:
    world.lib.current_app.logger.warning("a line")


@op("jsonify")
def _jsonify(world: World, given: t.Any) -> t.Any:
    return world.lib.jsonify(b=[1, None], a="\u00fc")


@op("dumps")
def _dumps(world: World, given: t.Any) -> t.Any:
    dumps = world.lib.json.dumps
    return [
        dumps({"u": uuid.UUID(int=1), "m": Markup("<\u00fc>")}),
        dumps({"b": [1], "a": 2}, indent=1, sort_keys=False),
    ]


@op("template")
def _template(world: World, given: t.Any) -> t.Any:
    return world.lib.render_template_string("{{ added }}|{{ request.path }}|{{ g.n }}|{{ '<' }}")


@op("make_response")
def _make_response(world: World, given: t.Any) -> t.Any:
    return world.lib.make_response(("made", 201, {"X-Made": "1"}))


@op("setup")
def _setup(world: World, given: t.Any) -> None:
    world.lib.current_app.before_request(lambda: None)


@op("after this")
def _after_this(world: World, given: t.Any, func: Func) -> None:
    from .build import make_function

    world.lib.after_this_request(make_function(world, "after_this_request", func))


# Contexts inside contexts


def _deeper(world: World, action: Callable[[], t.Any]) -> t.Any:
    """Call `action`, which opens a context, unless the depth is `DEEPEST`. The context's hooks may open more."""
    if world.depth >= DEEPEST:
        return "too deep"
    world.depth += 1
    try:
        return action()
    finally:
        world.depth -= 1


@op("app context")
def _app_context(world: World, given: t.Any, ops: tuple[Op, ...]) -> t.Any:
    def inside() -> None:
        with world.app.app_context():
            world.perform("app context", ops, given)

    return _deeper(world, inside)


@op("request context")
def _request_context(world: World, given: t.Any, path: str, ops: tuple[Op, ...]) -> t.Any:
    def inside() -> None:
        with world.app.test_request_context(path):
            world.perform("request context", ops, given)

    return _deeper(world, inside)


@op("leave a context")
def _leave_a_context(world: World, given: t.Any) -> t.Any:
    return _deeper(world, lambda: world.app.app_context().push())


@op("dispatch")
def _dispatch(world: World, given: t.Any, path: str) -> t.Any:
    def inside() -> t.Any:
        with world.app.test_request_context(path):
            return world.app.full_dispatch_request()

    return _deeper(world, inside)


@op("preprocess")
def _preprocess(world: World, given: t.Any, path: str) -> t.Any:
    def inside() -> t.Any:
        with world.app.test_request_context(path):
            return world.app.process_response(world.app.make_response(world.app.preprocess_request() or "none"))

    return _deeper(world, inside)


@op("client")
def _client(world: World, given: t.Any, path: str) -> t.Any:
    def inside() -> t.Any:
        answer = world.app.test_client().get(path)
        return (answer.status, plain_headers(answer.headers), answer.get_data())

    return _deeper(world, inside)


@op("copied context")
def _copied_context(world: World, given: t.Any, when: str, ops: tuple[Op, ...]) -> t.Any:
    """Run steps in a copy of the request context: now, in a thread, or later, after the response."""

    copied = world.lib.copy_current_request_context(lambda: world.perform("copied context", ops, given))
    if when == "now":
        return _deeper(world, copied)
    if when == "thread":
        return _deeper(world, lambda: _in_thread(world, copied))
    return world.later.append(copied)


def _in_thread(world: World, action: Callable[[], t.Any]) -> None:
    thread = threading.Thread(target=lambda: world.attempt("thread", action))
    thread.start()
    thread.join()


@op("try")
def _try(world: World, given: t.Any, *ops: Op) -> None:
    """Run the steps, and continue if one raises an exception."""
    try:
        world.perform("try", ops, given)
    except Exception:
        return


# Changing a response. If the function did not get a response, these operations do nothing.


def _settled(response: t.Any) -> t.Any:
    """Return the response. If it is an error page, convert its body to bytes first: see `world._describe_response`."""
    if response.status_code >= 400:
        response.get_data()
    return response


_CHANGES: dict[str, Callable[[t.Any, World], t.Any]] = {
    "r header": lambda r, w: r.headers.add("X-Added", "1"),
    "r unset type": lambda r, w: r.headers.pop("Content-Type", None),
    "r unset length": lambda r, w: _settled(r).headers.pop("Content-Length", None),
    "r headers": lambda r, w: setattr(_settled(r), "headers", Headers([("X-Only", "1")])),
    "r data": lambda r, w: r.set_data("changed"),
    "r read": lambda r, w: r.get_data(),
    "r json": lambda r, w: r.get_json(silent=True),
    "r status": lambda r, w: setattr(r, "status", "299 Odd"),
    "r code": lambda r, w: setattr(r, "status_code", 204),
    "r not modified": lambda r, w: setattr(r, "status_code", 304),
    "r location": lambda r, w: setattr(r, "location", "/\u00e9?a=1"),
    "r cookie": lambda r, w: r.set_cookie("mine", "1", samesite="Lax"),
    "r vary": lambda r, w: r.vary.add("Accept"),
    "r etag": lambda r, w: r.add_etags(),
    "r conditional": lambda r, w: r.make_conditional(w.lib.request),
    "r on close": lambda r, w: r.call_on_close(lambda: w.note("on close")),
    "r chunks": lambda r, w: setattr(r, "response", ["a", b"b"]),
    "r one chunk": lambda r, w: setattr(r, "response", [b"own"]),
    "r text chunk": lambda r, w: setattr(r, "response", ["own"]),
    "r no chunks": lambda r, w: setattr(r, "response", []),
    "r passthrough": lambda r, w: setattr(_settled(r), "direct_passthrough", True),
    "r freeze": lambda r, w: r.freeze(),
    "r keep": lambda r, w: w.lib.g.__setattr__("kept", r),
    "r empty header": lambda r, w: r.headers.set("Content-Length", ""),
}


def _on_response(change: Callable[[t.Any, World], t.Any]) -> Callable[..., t.Any]:
    return lambda world, given: change(given, world) if hasattr(given, "headers") else None


OPS.update({name: _on_response(change) for name, change in _CHANGES.items()})


@op("kept on close")
def _kept_on_close(world: World, given: t.Any) -> None:
    """Record when the response that "r keep" stored is closed."""
    kept = world.lib.g.get("kept")
    if kept is not None:
        kept.call_on_close(lambda: world.note("kept closed"))


@op("kept data")
def _kept_data(world: World, given: t.Any) -> None:
    """Change the stored response, possibly after it has been sent."""
    kept = world.lib.g.get("kept")
    if kept is not None:
        kept.set_data("late")
        kept.headers["X-Late"] = "1"


@op("abort")
def _abort(world: World, given: t.Any, code: int) -> None:
    world.lib.abort(code)


@op("not found")
def _not_found(world: World, given: t.Any) -> None:
    raise NotFound("own text")
