"""Where Swagger UI's files are, if they are installed: the package `flask-swagger-ui` ships them.

The package itself is never imported, for it brings Flask; its folder is all that is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FILES = ("swagger-ui.css", "swagger-ui-bundle.js")
"""What the page needs of it."""


@cache
def ui_folder() -> Path | None:
    """Return the folder of Swagger UI's files, None if it is not installed (extra `.[ui]`)."""
    spec = find_spec("flask_swagger_ui")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "dist"
        if all((folder / name).is_file() for name in FILES):
            return folder
    return None
