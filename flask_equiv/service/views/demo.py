"""Pages for people: what runs here, and a demo of each model that is fun to try.

They are rendered here; a script on each page asks the same routes as any other client.
"""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, make_response, render_template, request
from werkzeug.datastructures import ContentSecurityPolicy

from wsgi_core.inference import Model, ModelNotFound
from wsgi_core.inference.digits import recognise
from wsgi_core.shared.openapi import group_routes, list_routes, operations

# The models that have a demo, and what kind their cards must be of.
DEMOS = {"digits": "image", "sentiment": "text", "churn": "tabular"}

OWN_FILES_ONLY = ContentSecurityPolicy({"default-src": "'self'"})


def blueprint() -> Blueprint:
    """The start page, the demos with their files, and POST /digits, which takes what is drawn."""
    # The folder of the name given: on both frameworks that of wsgi_core, where the pages and their files are.
    pages = Blueprint("demo", "wsgi_core.service", static_folder="static", static_url_path="/demo/static")
    add_pages(pages)
    pages.app_context_processor(lambda: {"demos": [name for name in DEMOS if has_demo(name)]})

    @pages.post("/digits")
    def recognise_digit() -> t.Any:
        """Digits: which digit a drawing shows"""
        return recognise(current_app.extensions["models"].get("digits"), request.get_json())

    return pages


def add_pages(pages: Blueprint) -> None:
    """The routes that answer with a page."""

    @pages.get("/")
    def index() -> t.Any:
        """The start page: what runs here"""
        models = current_app.extensions["models"]
        routes = list_routes(current_app.url_map.iter_rules(), current_app.view_functions)
        groups = group_routes(routes, operations(models))
        return page("index.html", groups=groups, models=models.models, waiting=models.pending)

    @pages.get("/demo/digits")
    def digits() -> t.Any:
        """Draw a digit, or upload a picture of one"""
        return page("digits.html", model=find("digits"))

    @pages.get("/demo/sentiment")
    def sentiment() -> t.Any:
        """Type a sentence"""
        return page("sentiment.html", model=find("sentiment"))

    @pages.get("/demo/churn")
    def churn() -> t.Any:
        """Move the sliders of a customer"""
        return page("churn.html", model=find("churn"))


def page(template: str, **context: t.Any) -> t.Any:
    """The answer with a page, which may load nothing but the service's own files."""
    response = make_response(render_template(template, **context))
    response.content_security_policy = OWN_FILES_ONLY
    return response


def has_demo(name: str) -> bool:
    """Tell whether the model of a demo is served, and takes what the page sends."""
    model = current_app.extensions["models"].find(name)
    return model is not None and model.card is not None and model.card.kind == DEMOS[name]


def find(name: str) -> Model:
    """Return the model of a demo. Raises ModelNotFound (404) if it is not served, or takes something else."""
    model = t.cast(Model, current_app.extensions["models"].get(name))
    if not has_demo(name):
        raise ModelNotFound(f"the model {name!r} is not for this page: it has no card of the kind {DEMOS[name]!r}")
    return model
