"""How the functions of a program end: with a return value, valid for Flask or not, or with an exception."""

from __future__ import annotations

import typing as t
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum
from uuid import UUID

from markupsafe import Markup
from werkzeug import exceptions
from werkzeug.datastructures import Headers
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as BaseResponse

from .program import Stream
from .world import World, plain


class AppError(Exception):
    """An exception of the app."""


class SubError(AppError):
    """A subclass of the app's exception."""


class MixedError(SubError, KeyError):
    """An exception with two base classes that may both have handlers."""


class Teapot(exceptions.HTTPException):
    """An HTTP error that the app defines."""

    code = 418
    description = "short and stout"


class Quiet(exceptions.HTTPException):
    """An HTTP error whose response has no body."""

    code = 204


class Gone(exceptions.Gone):
    """A subclass of Werkzeug's exception of the same name."""


class Stop(BaseException):
    """Not a subclass of `Exception`, so error handlers must not handle it."""


# The exception classes for which an error handler can be registered, by name.
ERRORS: dict[str, type[Exception]] = {
    each.__name__: each
    for each in (
        AppError, SubError, MixedError, KeyError, LookupError, Exception, Teapot, Gone,
        exceptions.HTTPException, exceptions.NotFound, exceptions.BadRequest,
        exceptions.BadRequestKeyError, exceptions.InternalServerError, exceptions.MethodNotAllowed,
    )
}  # fmt: skip


class Level(IntEnum):
    """An int with a name, to serialize as JSON."""

    HIGH = 3


@dataclass
class Point:
    """A dataclass, which is serialized as a JSON object."""

    x: int
    y: t.Any


def circle() -> list[t.Any]:
    """Return a list that contains itself."""
    items: list[t.Any] = [1]
    items.append({"self": items})
    return items


class Body:
    """A body that records each `next()` and `close()`."""

    def __init__(self, world: World, chunks: Iterable[bytes]) -> None:
        self.world = world
        self.chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.world.note("body", "next")
        return next(self.chunks)

    def close(self) -> None:
        self.world.note("body", "close")


def _wsgi(world: World) -> Callable[..., t.Any]:
    def app(environ: t.Any, start_response: t.Any) -> t.Any:
        world.note("wsgi app", environ["REQUEST_METHOD"])
        start_response("202 Taken", [("X-Own", "1")])
        return Body(world, [b"w", b"sgi"])

    return app


def _failing_wsgi(environ: t.Any, start_response: t.Any) -> t.Any:
    raise SubError("wsgi")


def stream(world: World, name: str, data: Stream) -> t.Any:
    """Return the generator that `data` describes."""

    def chunks() -> Iterator[str | bytes]:
        try:
            world.perform(f"{name} stream", data.ops)
            for number, chunk in enumerate((*data.chunks, "")):
                if number == data.fails_at:
                    raise SubError("stream")
                if number < len(data.chunks):
                    world.note(name, "chunk", number)
                    yield chunk
        finally:
            world.note(name, "stream done", world.lib.has_request_context())

    return world.lib.stream_with_context(chunks()) if data.context else chunks()


End = Callable[[World, t.Any], t.Any]

RETURNS: dict[str, End] = {
    "text": lambda w, x: "text",
    "nothing": lambda w, x: None,
    "given": lambda w, x: x,
    "empty": lambda w, x: "",
    "bytes": lambda w, x: b"by\xffes",
    "bytearray": lambda w, x: bytearray(b"array"),
    "dict": lambda w, x: {"b": [1, None], "a": "\u00fc"},
    "empty dict": lambda w, x: {},
    "list": lambda w, x: [{"z": 1.5}, "<&>"],
    "jsonify": lambda w, x: w.lib.jsonify(1, 2),
    "bad dict": lambda w, x: {"bad": {1}},
    "circle": lambda w, x: circle(),
    "many types": lambda w, x: [date(2024, 2, 29), Decimal("1.10"), UUID(int=7), Markup("<b>"), Point(1, (2, None))],
    "many keys": lambda w, x: {1: "a", 2.5: "b", False: "c", 7: {"z": 1, "a": 2}},
    "mixed keys": lambda w, x: {1: "a", "b": 2},
    "bad keys": lambda w, x: {(1,): "a"},
    "no numbers": lambda w, x: [float("nan"), float("-inf"), 1e400, 10**30],
    "subclasses": lambda w, x: [Level.HIGH, Markup("\ud800"), OrderedDict(b=1, a=2), defaultdict(int, k=1)],
    "number": lambda w, x: 7,
    "true": lambda w, x: True,
    "set": lambda w, x: {1},
    "class": lambda w, x: AppError,
    "code": lambda w, x: ("text", 201),
    "code 204": lambda w, x: ("text", 204),
    "code 304": lambda w, x: ("text", 304),
    "code 100": lambda w, x: ("text", 100),
    "status": lambda w, x: ("text", "299 Odd"),
    "status bytes": lambda w, x: (b"bytes", b"200 OK"),
    "status word": lambda w, x: ("text", "odd"),
    "status empty": lambda w, x: ("text", ""),
    "status float": lambda w, x: ("text", 201.0),
    "status none": lambda w, x: ("text", None),
    "status set": lambda w, x: ("text", {201}),
    "headers dict": lambda w, x: ("text", {"X-A": "1", "content-type": "text/plain"}),
    "headers list": lambda w, x: ("text", [("X-A", "1"), ("X-A", "2")]),
    "headers object": lambda w, x: ({"a": 1}, Headers([("X-A", "1"), ("Content-Type", "a/b")])),
    "headers many": lambda w, x: ("text", 200, {"X-A": ["1", "2"]}),
    "headers bad": lambda w, x: ("text", 200, {"X-A": "1\r\nX-B: 2"}),
    "headers none": lambda w, x: (["text"], 202, None),
    "triple": lambda w, x: (b"text", "203 Triple", [("X-A", "1")]),
    "tuple of 1": lambda w, x: ("text",),
    "tuple of 4": lambda w, x: ("text", 200, {}, 1),
    "tuple of none": lambda w, x: (None, 200),
    "tuple of tuple": lambda w, x: (("text", 201), 202),
    "tuple of dict": lambda w, x: ({"a": 1}, 202, {"X-A": "1"}),
    "response": lambda w, x: w.lib.Response("made", 202, {"X-A": "1"}),
    "plain response": lambda w, x: w.lib.Response("made"),
    "json response": lambda w, x: w.lib.Response("[]", mimetype="application/json"),
    "typed response": lambda w, x: w.lib.Response(b"made", content_type="a/b"),
    "empty response": lambda w, x: w.lib.Response(),
    "no content": lambda w, x: w.lib.Response(status=204),
    "chunked response": lambda w, x: w.lib.Response(["a", "b"]),
    "passing response": lambda w, x: w.lib.Response(b"made", direct_passthrough=True),
    "tuple of response": lambda w, x: (w.lib.Response("made", 202), 418, {"Content-Type": "a/b"}),
    "base response": lambda w, x: BaseResponse("base", 206),
    "tuple of base": lambda w, x: (BaseResponse("base"), "207 Base", [("X-A", "1")]),
    "redirect": lambda w, x: w.lib.redirect("/a?\u00fc=1"),
    "redirect 308": lambda w, x: w.lib.redirect("a", 308),
    "wsgi": lambda w, x: _wsgi(w),
    "tuple of wsgi": lambda w, x: (_wsgi(w), 201, {"X-A": "1"}),
    "failing wsgi": lambda w, x: _failing_wsgi,
    "iterator": lambda w, x: iter(["a", b"b"]),
    "iterator of numbers": lambda w, x: iter([1]),
    "tuple of iterator": lambda w, x: (iter(["a"]), 201),
    "closing body": lambda w, x: Body(w, [b"x", b"y"]),
    "response of body": lambda w, x: w.lib.Response(Body(w, [b"x", b"y"])),
    "http error": lambda w, x: exceptions.NotFound("returned"),
    "http error and code": lambda w, x: (exceptions.NotFound(), 410),
    "given and code": lambda w, x: (x, 410),
    "described": lambda w, x: f"{plain(x)} {plain(getattr(x, 'original_exception', None))}",
    "described 500": lambda w, x: (f"{plain(x)}", 500),
    "given response": lambda w, x: x.get_response(),
    "surrogate": lambda w, x: "\ud800",
}  # fmt: skip


def _missing_argument(world: World, given: t.Any) -> t.Any:
    return world.lib.request.args["missing"]


def _again(world: World, given: t.Any) -> t.NoReturn:
    raise given if isinstance(given, BaseException) else AppError("again")


def _chained(world: World, given: t.Any) -> t.NoReturn:
    raise AppError("chained") from (given if isinstance(given, BaseException) else None)


def _redirect(world: World, given: t.Any) -> t.NoReturn:
    raise RequestRedirect("http://localhost/a")


def _raising(make: Callable[[World], BaseException]) -> End:
    def end(world: World, given: t.Any) -> t.NoReturn:
        raise make(world)

    return end


def _aborting(*args: t.Any, **kwargs: t.Any) -> End:
    return lambda world, given: world.lib.abort(*args, **kwargs)


RAISES: dict[str, End] = {
    "AppError": _raising(lambda w: AppError("app")),
    "SubError": _raising(lambda w: SubError("sub")),
    "MixedError": _raising(lambda w: MixedError("mixed")),
    "KeyError": _raising(lambda w: KeyError("key")),
    "ValueError": _raising(lambda w: ValueError("\u00fc", 1)),
    "StopIteration": _raising(lambda w: StopIteration("end")),
    "Teapot": _raising(lambda w: Teapot()),
    "Gone": _raising(lambda w: Gone()),
    "Quiet": _raising(lambda w: Quiet("unheard")),
    "Stop": _raising(lambda w: Stop("stop")),
    "codeless": _raising(lambda w: exceptions.HTTPException("codeless")),
    "with response": _raising(lambda w: exceptions.NotFound(response=w.lib.Response("own"))),
    "with base response": _raising(lambda w: exceptions.HTTPException(response=BaseResponse("own", 207))),
    "500": _raising(lambda w: exceptions.InternalServerError("own", original_exception=KeyError("o"))),
    "missing argument": _missing_argument,
    "bare key": _raising(lambda w: exceptions.BadRequestKeyError("k")),
    "again": _again,
    "chained": _chained,
    "request redirect": _redirect,
    "abort 400": _aborting(400),
    "abort 404": _aborting(404, "own text"),
    "abort 405": _aborting(405, valid_methods=["PUT"]),
    "abort 401": _aborting(401),
    "abort 429": _aborting(429, retry_after=5),
    "abort 500": _aborting(500),
    "abort 200": _aborting(200),
    "abort response": lambda w, x: w.lib.abort(w.lib.Response("aborted", 203)),
    "abort base response": lambda w, x: w.lib.abort(BaseResponse("aborted", 203)),
}

ENDS: dict[str, End] = RETURNS | RAISES
