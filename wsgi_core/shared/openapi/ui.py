"""The folder of Swagger UI, which the optional package `flask-swagger-ui` contains.

The package is only located, and not imported, because it imports Flask.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FILES = ("swagger-ui.css", "swagger-ui-bundle.js")
"""The files that the page /docs loads."""


@cache
def ui_folder() -> Path | None:
    """Return the folder of Swagger UI's files, or None if they are not installed (extra `ui`)."""
    spec = find_spec("flask_swagger_ui")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "dist"
        if all((folder / name).is_file() for name in FILES):
            return folder
    return None
