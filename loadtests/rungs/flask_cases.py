"""The application for the cases of the study "core" on Flask.

``core_cases.py`` has the same text except for the imports.
"""

from __future__ import annotations

from flask import Flask as App
from flask import Response, jsonify, request, session

from loadtests.rungs.flask_app import create_app as create_predict_app
from loadtests.rungs.work import SECRET_KEY


class RefusedError(Exception):
    """The exception of the error case: the view raises it, and an error handler responds to it."""


def create_app() -> App:
    """Make the application of the rung, and add the routes of the cases and an error handler."""
    app = create_predict_app()
    app.secret_key = SECRET_KEY
    _register_cases(app)
    _register_error_case(app)
    return app


def create_routes_app(routes: int) -> App:
    """Make an application with ``routes`` static routes. The measured request is for the route that is added last."""
    app = App(__name__)
    for number in range(routes - 1):
        app.add_url_rule(f"/static-path/{number}", f"static_{number}", _hello)
    app.add_url_rule("/hello", "hello", _hello)
    return app


def _hello() -> str:
    return "hello"


def _register_cases(app: App) -> None:
    @app.get("/v/<int:number>")
    def converter(number: int) -> Response:
        return jsonify(number=number)

    @app.post("/count")
    def count() -> Response:
        return jsonify(count=len(request.get_json()["values"]))

    @app.get("/session")
    def visits() -> Response:
        session["visits"] = session["visits"] + 1
        return jsonify(visits=session["visits"])


def _register_error_case(app: App) -> None:
    @app.get("/refused")
    def refuse() -> Response:
        raise RefusedError("missing feature: tenure_months")

    @app.errorhandler(RefusedError)
    def refused(error: RefusedError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400
