"""Run a program on both frameworks, record what a client can observe, and compare both sides."""

from __future__ import annotations

import contextvars
import typing as t
from collections.abc import Callable
from io import BytesIO
from urllib.parse import unquote_to_bytes

import flask

import wsgi_core

from .build import build
from .program import Call, Program
from .world import LOG_NOTES, Event, World, plain_headers

SIDES: tuple[tuple[t.Any, type[t.Any]], ...] = ((flask, flask.Flask), (wsgi_core, wsgi_core.App))


def make_environ(call: Call, cookies: dict[str, str]) -> dict[str, t.Any]:
    """Return the PEP 3333 environ of a request. A value None in `call.environ` removes a variable."""
    environ: dict[str, t.Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(call.path).decode("latin-1"),
        "QUERY_STRING": call.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(call.body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    length = str(len(call.body)) if call.length is None and call.body else call.length
    optional = {"CONTENT_TYPE": call.content_type, "CONTENT_LENGTH": length, "HTTP_COOKIE": _cookie_header(cookies)}
    environ.update({key: value for key, value in optional.items() if value})
    for key, value in call.environ:
        if value is None:
            environ.pop(key, None)
        else:
            environ[key] = value
    return environ


def _cookie_header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _keep_cookies(world: World, headers: t.Iterable[tuple[str, str]]) -> None:
    """Store the cookies that a response sets, and remove expired cookies, as a browser does."""
    for name, value in headers:
        if name == "Set-Cookie":
            text, _, attributes = value.partition(";")
            key, _, content = text.partition("=")
            world.cookies.pop(key, None)
            if "Max-Age=0" not in attributes:
                world.cookies[key] = content


# The bare protocol


def send(world: World, call: Call) -> None:
    """Call the app as a PEP 3333 server does. Record start_response, each chunk, and close as events."""

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        world.note("start_response", status, plain_headers(headers))
        _keep_cookies(world, headers)
        return lambda data: world.note("write", data)

    environ = make_environ(call, world.cookies)
    body = world.attempt("app", lambda: world.app(environ, start_response))
    if body is not None:
        world.attempt("body", lambda: _take(world, body, call.taken))
        if hasattr(body, "close"):
            world.attempt("close", body.close)
    world.note("left over", world.lib.has_request_context(), world.lib.has_app_context())


def _take(world: World, body: t.Iterable[bytes], count: int | None) -> None:
    """Read and record `count` chunks of the body, or all of them if `count` is None."""
    chunks = iter(body)
    while count is None or count > 0:
        try:
            chunk = next(chunks)
        except StopIteration:
            return
        world.note("chunk", chunk)
        count = None if count is None else count - 1


# The test client


def send_by_client(world: World, client: t.Any, call: Call) -> None:
    """Send one request with the framework's test client, and record the response."""
    environ = make_environ(call, {})
    options = {"buffered": call.taken == 0, "follow_redirects": call.taken == 1}
    answer = world.attempt("client", lambda: client.open(environ, **options))
    if answer is not None:
        world.note("answer", answer.status, plain_headers(answer.headers), len(answer.history))
        world.note("request", answer.request.method, answer.request.path)
        world.attempt("body", lambda: world.note("data", answer.get_data()))
        world.attempt("json", lambda: world.note("json", answer.get_json(silent=True)))
        world.attempt("close", answer.close)


def _client_session(world: World, client: t.Any) -> None:
    """Read and change the session with `session_transaction`, between two requests."""
    with client.session_transaction() as session:
        world.note("session transaction", dict(session))
        session["n"] = session.get("n", 0) + 10


def _send_all_by_client(world: World, client: t.Any) -> None:
    for number, call in enumerate(world.program.calls):
        if number == 1:
            world.attempt("transaction", lambda: _client_session(world, client))
        send_by_client(world, client, call)
        _after_call(world)


def _preserving(world: World) -> None:
    with world.app.test_client() as client:
        _send_all_by_client(world, client)


def _after_call(world: World) -> None:
    """Run what the program does between two requests: functions in copied contexts, and steps outside of requests."""
    # These actions may add further actions, which are discarded. Otherwise this might never end.
    actions, world.later = world.later, []
    for action in actions:
        world.attempt("later", action)
    world.later.clear()
    world.attempt("after call", lambda: world.perform("after call", world.program.after_call))


def _send_all(world: World) -> None:
    if world.program.client == "preserving":
        world.attempt("client block", lambda: _preserving(world))
    elif world.program.client == "plain":
        _send_all_by_client(world, world.app.test_client())
    else:
        for call in world.program.calls:
            send(world, call)
            _after_call(world)


def _run_inside(world: World) -> None:
    connected = world.attempt("build", lambda: build(world))
    try:
        if connected is not None:
            _send_all(world)
    finally:
        for signal, receiver in connected or ():
            signal.disconnect(receiver)  # with a sender, blinker would keep the function


def run(program: Program, lib: t.Any, app_class: type[t.Any]) -> list[Event]:
    """Run `program` on one framework, in a new `contextvars.Context`. Return the events."""
    world = World(lib, app_class, program)
    LOG_NOTES.world = world
    try:
        contextvars.Context().run(_run_inside, world)
    finally:
        LOG_NOTES.world = None
    return world.events


def run_both(program: Program) -> tuple[list[Event], list[Event]]:
    """Return the events on Flask and the events on wsgi_core."""
    on_flask, on_core = (run(program, lib, app_class) for lib, app_class in SIDES)
    return on_flask, on_core


def difference(program: Program, runner: Callable[[Program], tuple[list[Event], list[Event]]] = run_both) -> str | None:
    """Return the first event that differs and the events before it, as text, or None if both sides did the same.

    A signed cookie contains the current second, so two equal runs may differ. A difference counts only if three runs in
    a row have one.
    """
    for _ in range(3):
        on_flask, on_core = runner(program)
        if on_flask == on_core:
            return None
    return _first_difference(program, on_flask, on_core)


def _first_difference(program: Program, on_flask: list[Event], on_core: list[Event]) -> str:
    number = next((n for n, (a, b) in enumerate(zip(on_flask, on_core, strict=False)) if a != b), None)
    if number is None:
        number = min(len(on_flask), len(on_core))
    before = [f"          {event}" for event in on_flask[max(0, number - 8) : number]]
    ends = [f"{name:>9} {events[number] if number < len(events) else 'ended'}" for name, events in
            (("flask", on_flask), ("wsgi_core", on_core))]  # fmt: skip
    return "\n".join([f"{program!r}", f"event {number} differs:", *before, *ends])
