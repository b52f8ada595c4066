"""A delay of known length in each request, to prove that the instrument measures it correctly.

In Flask, a hook spins: it reads the clock until the delay is over. The hook itself has a cost too, so a delay of 0 µs
has the same hook, and the difference is the delay alone. The bare callable has no hook: it spins itself.

Code that runs after a spin may run slower, which adds to the delay. So there is a second kind of delay, which keeps the
code in use: further runs of the bare callable itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from time import perf_counter_ns
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from loadtests.rungs.flask_app import create_app as create_flask_app
from loadtests.rungs.raw import create_app as create_bare_app
from loadtests.rungs.work import driver_app


def create_app(microseconds: float | None, model: str = "null") -> Flask:
    """Make the rung "Flask" with a hook that spins for ``microseconds``, or without the hook if that is None."""
    app = create_flask_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    @app.before_request
    def spin() -> None:
        _spin(nanoseconds)

    return app


def create_bare(microseconds: float | None, model: str = "null") -> WSGIApplication:
    """Make the rung "raw callable" that first spins for ``microseconds``, or does not spin if that is None."""
    app = create_bare_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    def delayed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _spin(nanoseconds)
        return app(environ, start_response)

    return delayed


def create_repeated(runs: int, calls: int, model: str = "null") -> WSGIApplication:
    """Make the rung "raw callable" that first handles its request ``runs`` more times, each with a stream of its own.

    ``calls`` calls precede each request, whatever ``runs`` is. Those that do not run the application run the driver's
    empty one. So a further run adds what the instrument measures as the cost of the application: the difference between
    the application and the empty one.
    """
    app = create_bare_app(model)
    further = [driver_app("200 OK")] * (calls - runs) + [app] * runs

    def repeated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        for call in further:
            for _chunk in call({**environ, "wsgi.input": BytesIO(body)}, start_response):
                pass
        return app({**environ, "wsgi.input": BytesIO(body)}, start_response)

    return repeated


def _spin(nanoseconds: int) -> None:
    ends = perf_counter_ns() + nanoseconds
    while perf_counter_ns() < ends:
        pass
