"""The API's description: for programs at /openapi.json, for people at /docs."""

from __future__ import annotations

import typing as t

from flask import Blueprint, current_app, jsonify, render_template, request, send_from_directory
from werkzeug.exceptions import NotFound

from wsgi_core.shared.access import HEALTH
from wsgi_core.shared.installation import install_command
from wsgi_core.shared.openapi import describe_api, list_routes, operations
from wsgi_core.shared.openapi.ui import FILES, ui_folder


def blueprint() -> Blueprint:
    """The routes of the description and of the files of Swagger UI, which come from a package of their own."""
    pages = Blueprint("docs", "wsgi_core")

    @pages.get("/openapi.json")
    def openapi() -> t.Any:
        """This description, as OpenAPI 3.1"""
        routes = list_routes(current_app.url_map.iter_rules(), current_app.view_functions)
        table = operations(current_app.extensions["models"])
        open_to_all = HEALTH if current_app.extensions["settings"].api_key else None
        return jsonify(describe_api(routes, table, root=request.script_root, open_to_all=open_to_all))

    @pages.get("/docs")
    def docs() -> t.Any:
        """Read the description and try it out"""
        return render_template("docs.html", has_ui=ui_folder() is not None, install=install_command("ui"))

    @pages.get("/docs/<path:filename>")
    def docs_file(filename: str) -> t.Any:
        """A file of Swagger UI"""
        folder = ui_folder()
        if folder is None or filename not in FILES:
            raise NotFound()
        return send_from_directory(folder, filename)

    return pages
