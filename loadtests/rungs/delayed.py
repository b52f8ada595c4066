"""Delay each request by a known length, to check what the instrument measures.

The *bare callable* is the application of ``raw.py``. A *spin* reads the clock until the delay is over. In Flask, a
before_request function spins. For the bare callable, another function spins and then calls the bare callable.

After a spin, the code of the request may run slower. A second kind of delay avoids this: the bare callable handles the
same request several times.
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
    """Make the application of ``flask_app.py`` with a before_request function that spins for ``microseconds``.

    If ``microseconds`` is None, the application does not have this function.
    """
    app = create_flask_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    @app.before_request
    def spin() -> None:
        _spin(nanoseconds)

    return app


def create_bare(microseconds: float | None, model: str = "null") -> WSGIApplication:
    """Make the bare callable with a function around it that first spins for ``microseconds``.

    If ``microseconds`` is None, there is no such function.
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
    """Make an application that calls the bare callable ``runs`` more times for each request.

    It first calls ``driver_app``, which does nothing, ``calls - runs`` times. So all applications make the same number
    of calls, and a further run adds the cost of the bare callable minus the cost of ``driver_app``. The instrument also
    subtracts the cost of ``driver_app`` from a single run, so the two costs should be equal.
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
