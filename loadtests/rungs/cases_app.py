"""The applications for the cases of the study "core", on wsgi_core or on Flask.

A *case* is one kind of request, such as a path that does not exist.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from loadtests.rungs.work import SECRET_KEY

# The rung of each framework, by the name of the framework's package.
RUNGS = {"wsgi_core": "loadtests.rungs.core", "flask": "loadtests.rungs.flask_app"}


class RefusedError(Exception):
    """The exception that the view of the error case raises."""


def create_app(framework: str) -> Any:
    """Make the application of ``core.py`` or ``flask_app.py`` with more routes and an error handler.

    ``framework`` is ``"wsgi_core"`` or ``"flask"``.
    """
    app = import_module(RUNGS[framework]).create_app()
    app.secret_key = SECRET_KEY
    package: Any = import_module(framework)
    jsonify, request, session = package.jsonify, package.request, package.session

    def converter(number: int) -> Any:
        return jsonify(number=number)

    def count() -> Any:
        return jsonify(count=len(request.get_json()["values"]))

    def visits() -> Any:
        session["visits"] = session["visits"] + 1
        return jsonify(visits=session["visits"])

    def refuse() -> Any:
        raise RefusedError("missing feature: tenure_months")

    def refused(error: RefusedError) -> Any:
        return jsonify(error=str(error)), 400

    app.add_url_rule("/v/<int:number>", view_func=converter)
    app.add_url_rule("/count", view_func=count, methods=["POST"])
    app.add_url_rule("/session", view_func=visits)
    app.add_url_rule("/refused", view_func=refuse)
    app.register_error_handler(RefusedError, refused)
    return app


def create_routes_app(framework: str, routes: int) -> Any:
    """Make an application with ``routes`` static routes. ``/hello`` is the last of them.

    ``framework`` is ``"wsgi_core"`` or ``"flask"``.
    """
    app = import_module(RUNGS[framework]).App(__name__)
    for number in range(routes - 1):
        app.add_url_rule(f"/static-path/{number}", f"static_{number}", _hello)
    app.add_url_rule("/hello", "hello", _hello)
    return app


def _hello() -> str:
    return "hello"
