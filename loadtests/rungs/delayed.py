"""A delay of known length in each request, to prove that the instrument measures it correctly.

In Flask, a hook spins. The hook itself has a cost too, so a delay of 0 µs has the same hook, and the difference is the
delay alone. The bare callable has no hook: it spins itself. It has hardly any code that could run slower after a delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter_ns
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from loadtests.rungs.flask_app import create_app as create_flask_app
from loadtests.rungs.raw import create_app as create_bare_app


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


def _spin(nanoseconds: int) -> None:
    ends = perf_counter_ns() + nanoseconds
    while perf_counter_ns() < ends:
        pass
