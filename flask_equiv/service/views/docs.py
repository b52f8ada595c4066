"""The description of the API: /openapi.json for programs, and /docs for people."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from flask import Blueprint, current_app, jsonify, make_response, render_template, request, send_from_directory
from werkzeug.datastructures import ContentSecurityPolicy
from werkzeug.exceptions import NotFound

from wsgi_core.shared.access import OPEN_RULES
from wsgi_core.shared.installation import install_command
from wsgi_core.shared.openapi import describe, describe_api, list_routes, operations
from wsgi_core.shared.openapi.operations import FILE, Operation, ok, page
from wsgi_core.shared.openapi.ui import FILES, ui_folder

from .demo import forbid_sniffing

# Swagger UI sets style attributes, and loads its pictures from data: URLs.
SWAGGER_UI = ContentSecurityPolicy(
    {
        "default-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "frame-ancestors": "'none'",
    }
)


def blueprint() -> Blueprint:
    """Return the blueprint of the API description and of the files of Swagger UI.

    The files of Swagger UI come from the optional package `flask-swagger-ui`.
    """
    pages = Blueprint("docs", "wsgi_core")
    pages.after_request(forbid_sniffing)

    @pages.get("/openapi.json")
    @describe(Operation("Pages", {200: ok({"type": "object"}, "OpenAPI 3.1")}))
    def openapi() -> t.Any:
        """Return this description of the API, as OpenAPI 3.1"""
        routes = list_routes(current_app.url_map.iter_rules(), current_app.view_functions)
        table = operations(routes, current_app.view_functions, current_app.extensions["models"])
        open_to_all = OPEN_RULES if current_app.extensions["settings"].api_key else None
        return jsonify(describe_api(routes, table, root=request.script_root, open_to_all=open_to_all))

    @pages.get("/docs")
    @describe(page(description="The page works offline. It needs the extra `ui`."))
    def docs() -> t.Any:
        """Show this description as a page from which requests can be sent"""
        response = make_response(
            render_template("docs.html", has_ui=ui_folder() is not None, install=install_command("ui"))
        )
        response.content_security_policy = SWAGGER_UI
        return response

    @pages.get("/docs/<path:filename>")
    @describe(replace(FILE, summary=""))
    def docs_file(filename: str) -> t.Any:
        """Send a file of Swagger UI"""
        folder = ui_folder()
        if folder is None or filename not in FILES:
            raise NotFound()
        return send_from_directory(folder, filename)

    return pages
