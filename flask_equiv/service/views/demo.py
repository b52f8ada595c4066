"""The start page, and demo pages for some of the models.

The script of a demo page sends requests to a route of the API.
"""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, make_response, render_template, request
from werkzeug.datastructures import ContentSecurityPolicy

from wsgi_core.inference import Model, ModelNotFound
from wsgi_core.inference.digits import MAX_JSON_SIDE, WHITE, recognise
from wsgi_core.shared.lifecycle import steps_of
from wsgi_core.shared.openapi import describe, group_routes, list_routes, operations
from wsgi_core.shared.openapi.inputs import VERSION
from wsgi_core.shared.openapi.operations import BODY_ERRORS, JSON, SHARE, Operation, array, errors, object_schema, ok
from wsgi_core.shared.openapi.operations import page as page_operation

# The names of the models that have a demo, and the kind that the card of each model must have.
DEMOS = {"digits": "image", "sentiment": "text", "churn": "tabular"}

OWN_FILES_ONLY = ContentSecurityPolicy({"default-src": "'self'", "frame-ancestors": "'none'"})

_SHADE = {"type": "number", "minimum": 0, "maximum": WHITE}
_ROWS = {"minItems": 1, "maxItems": MAX_JSON_SIDE}

DIGITS = Operation(
    "Predictions",
    {
        200: ok(
            object_schema(
                {
                    "digit": {"type": "integer"},
                    "sure": {
                        "type": "boolean",
                        "description": "Whether the highest probability is at least the card's `sure_from`",
                    },
                    "probabilities": array(SHARE) | {"description": "The probability of each digit"},
                    "pixels": array(SHARE) | {"description": "The input of the model: 8 rows of 8 pixels"},
                    "model_version": VERSION,
                }
            )
        ),
        **errors(*BODY_ERRORS),
    },
    body={JSON: object_schema({"drawing": array(array(_SHADE, **_ROWS), **_ROWS)})},
    description="The drawing is a list of rows of equal length. A row is a list of shades from 0 (black) to 255"
    " (white). The digit may be light on dark or dark on light.",
)


def blueprint() -> Blueprint:
    """Return the blueprint of the start page, the demo pages, their static files, and POST /digits."""
    # The import name determines the folder of the templates and static files: wsgi_core/service on both frameworks.
    pages = Blueprint("demo", "wsgi_core.service", static_folder="static", static_url_path="/demo/static")
    add_pages(pages)
    pages.after_request(forbid_sniffing)
    pages.app_context_processor(lambda: {"demos": list(filter(has_demo, DEMOS))})

    @pages.post("/digits")
    @describe(DIGITS)
    def recognise_digit() -> t.Any:
        """Recognise the digit in a drawing"""
        return recognise(current_app.extensions["models"].get("digits"), request.get_json())

    return pages


def add_pages(pages: Blueprint) -> None:
    """Add the routes that respond with an HTML page."""

    @pages.get("/")
    @describe(page_operation())
    def index() -> t.Any:
        """Show the start page"""
        models = current_app.extensions["models"]
        routes = list_routes(current_app.url_map.iter_rules(), current_app.view_functions)
        groups = group_routes(routes, operations(routes, current_app.view_functions, models))
        steps = steps_of(current_app, request)
        return page("index.html", groups=groups, models=models.models, waiting=models.pending, steps=steps)

    @pages.get("/demo/digits")
    @describe(page_operation(404))
    def digits() -> t.Any:
        """Show the digits demo: draw or upload a digit, and see which digit the model recognises"""
        return page("digits.html", model=find("digits"))

    @pages.get("/demo/sentiment")
    @describe(page_operation(404))
    def sentiment() -> t.Any:
        """Show the sentiment demo: type a sentence, and see whether it is positive or negative"""
        return page("sentiment.html", model=find("sentiment"))

    @pages.get("/demo/churn")
    @describe(page_operation(404))
    def churn() -> t.Any:
        """Show the churn demo: set the features of a customer, and see the churn probability"""
        return page("churn.html", model=find("churn"))


def page(template: str, **context: t.Any) -> t.Any:
    """Render a template. The Content-Security-Policy of the response allows only the service's own files."""
    response = make_response(render_template(template, **context))
    response.content_security_policy = OWN_FILES_ONLY
    return response


def forbid_sniffing(response: t.Any) -> t.Any:
    """Add the header that forbids browsers to guess the content type of a file."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def has_demo(name: str) -> bool:
    """Return whether the model `name` is served and has a card of the kind that its demo page needs."""
    model = current_app.extensions["models"].find(name)
    return model is not None and model.card is not None and model.card.kind == DEMOS[name]


def find(name: str) -> Model:
    """Return the model of a demo page.

    Raises ModelNotFound (404) if the model is not served, or has no card of the kind that its demo page needs.
    """
    model = t.cast(Model, current_app.extensions["models"].get(name))
    if not has_demo(name):
        raise ModelNotFound(
            f"this page cannot use the model {name!r}: the model has no card of the kind {DEMOS[name]!r}"
        )
    return model
