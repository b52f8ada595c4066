"""Flask with a delay of known length in each request, for the proof that the instrument finds it again.

The hook itself costs something too; a delay of 0 µs has the same hook, so that the difference is the delay alone.
"""

from __future__ import annotations

from time import perf_counter_ns

from flask import Flask

from loadtests.rungs.flask_app import create_app as create_flask_app


def create_app(microseconds: float | None, model: str = "null") -> Flask:
    """The rung "Flask" with a hook that spins for so long, or without the hook for None."""
    app = create_flask_app(model)
    if microseconds is None:
        return app
    nanoseconds = round(microseconds * 1000)

    @app.before_request
    def spin() -> None:
        ends = perf_counter_ns() + nanoseconds
        while perf_counter_ns() < ends:
            pass

    return app
