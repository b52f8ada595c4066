"""Flask's request lifecycle, written by hand on Werkzeug. The names are Flask's; `App` is its ``Flask``."""

# The names in few lines, file by file.
# isort: skip_file
# fmt: off

from __future__ import annotations

from . import json
from .app import App
from .blueprints import Blueprint
from .config import Config
from .context import (
    after_this_request, copy_current_request_context, current_app, g, has_app_context, has_request_context,
    request, session,
)
from .helpers import (
    abort, flash, get_flashed_messages, get_template_attribute, make_response, redirect, send_file,
    send_from_directory, stream_with_context, url_for,
)
from .json import jsonify
from .signals import (
    appcontext_popped, appcontext_pushed, appcontext_tearing_down, before_render_template,
    got_request_exception, message_flashed, request_finished, request_started, request_tearing_down,
    template_rendered,
)
from .templating import render_template, render_template_string, stream_template, stream_template_string
from .wrappers import Request, Response

__all__ = [
    "App", "Blueprint", "Config", "Request", "Response", "abort", "after_this_request", "appcontext_popped",
    "appcontext_pushed", "appcontext_tearing_down", "before_render_template", "copy_current_request_context",
    "current_app", "flash", "g", "get_flashed_messages", "get_template_attribute", "got_request_exception",
    "has_app_context", "has_request_context", "json", "jsonify", "make_response", "message_flashed", "redirect",
    "render_template", "render_template_string", "request", "request_finished", "request_started",
    "request_tearing_down", "send_file", "send_from_directory", "session", "stream_template",
    "stream_template_string", "stream_with_context", "template_rendered", "url_for",
]

# fmt: on
