"""The rung "wsgi_core": a view as in a typical API. ``flask_app.py`` has the same text except for the imports."""

from __future__ import annotations

from typing import Any

from loadtests.rungs.work import OTHER_ROUTES, load_model
from wsgi_core import App, Response, g, jsonify, request


def create_app(model: str = "null", hooks: bool = False) -> App:
    """Make the application whose POST /predict calls the model named ``model``.

    If ``hooks`` is true, the application has a before_request, an after_request and a teardown_request function.
    """
    predict = load_model(model)
    app = App(__name__)
    _register_others(app)
    if hooks:
        _register_hooks(app)

    @app.post("/predict")
    def predict_view() -> Response:
        return jsonify(predict(request.get_json()))

    return app


def _register_others(app: App) -> None:
    for number, rule in enumerate(OTHER_ROUTES):
        app.add_url_rule(rule, f"other_{number}", _other)


def _other(**values: Any) -> str:
    return "never requested"


def _register_hooks(app: App) -> None:
    @app.before_request
    def before() -> None:
        g.user = "measured"

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-User"] = g.user
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        g.pop("user", None)
