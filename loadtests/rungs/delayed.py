"""Delay each request by a known length, to check what the instrument measures.

In Flask, a hook spins: it reads the clock until the delay is over. The hook itself has a cost too. So the request is
compared with a request whose hook spins for 0 µs. The bare callable (the lowest rung) has no hooks. There, another
function spins and then calls the bare callable.

After a spin, the code of the request may run slower, so the request may take more time than the delay adds. A second
kind of delay avoids this: instead of spinning, the bare callable handles the same request several times.
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
    """Make the rung "Flask" with a hook that spins for ``microseconds``. With None, there is no hook."""
    app = create_flask_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    @app.before_request
    def spin() -> None:
        _spin(nanoseconds)

    return app


def create_bare(microseconds: float | None, model: str = "null") -> WSGIApplication:
    """Make the rung "raw callable" with a function around it that first spins for ``microseconds``.

    With None, there is no function around it.
    """
    app = create_bare_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    def delayed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _spin(nanoseconds)
        return app(environ, start_response)

    return delayed


def create_repeated(runs: int, calls: int, model: str = "null") -> WSGIApplication:
    """Make the rung "raw callable" so that it first handles each request ``runs`` more times.

    Before the rung handles a request, there are always ``calls`` calls: ``runs`` calls of the rung, and otherwise calls
    of ``driver_app``, which only sends an empty response. So a further run adds the cost of the rung minus the cost of
    ``driver_app``. The instrument also subtracts the cost of ``driver_app`` from the cost of a single run. So the cost
    of a further run should be equal to the cost of a single run.
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
