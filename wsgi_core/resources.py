"""What an App and a Blueprint have in files: their folders, static files, templates, and their commands."""

from __future__ import annotations

import os
import typing as t
from datetime import timedelta
from functools import cached_property

from .context import current_app
from .paths import get_root_path

if t.TYPE_CHECKING:
    from click import Group
    from jinja2 import BaseLoader

    from .wrappers import Response

Folder = str | os.PathLike[str] | None


class Resources:
    """The part of Flask's ``Scaffold`` that deals with files. Mirrors flask 3.1.3 sansio/scaffold.py: Scaffold."""

    name: str

    def __init__(
        self,
        import_name: str,
        static_folder: Folder = None,
        static_url_path: str | None = None,
        template_folder: Folder = None,
        root_path: str | None = None,
    ) -> None:
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        self.template_folder = template_folder
        self.root_path = get_root_path(import_name) if root_path is None else root_path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @cached_property
    def cli(self) -> Group:
        """The click group of this object's commands. Click is imported when this is first used."""
        from .cli import AppGroup

        return AppGroup(self.name)

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the static folder; None if there is none."""
        return None if self._static_folder is None else os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: Folder) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip("\\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether a static folder is set (not whether it exists)."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of static files: as set, or else the static folder's name."""
        if self._static_url_path is None and self.static_folder is not None:
            return f"/{os.path.basename(self.static_folder)}".rstrip("/")
        return self._static_url_path

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        """Loads templates from this object's template folder; None if it has none."""
        if self.template_folder is None:
            return None
        from jinja2 import FileSystemLoader

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """How many seconds a client may cache ``filename``; None: it must ask each time."""
        value: timedelta | int | None = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return int(value.total_seconds()) if isinstance(value, timedelta) else value

    def send_static_file(self, filename: str) -> Response:
        """The view of static files. RuntimeError without a static folder."""
        from .helpers import send_from_directory

        if self.static_folder is None:
            raise RuntimeError("'static_folder' must be set to serve static_files.")
        return send_from_directory(self.static_folder, filename, max_age=self.get_send_file_max_age(filename))

    def open_resource(self, resource: str, mode: str = "rb", encoding: str | None = "utf-8") -> t.IO[t.Any]:
        """Open a file relative to `root_path` for reading; ``encoding`` counts in text mode."""
        if mode not in {"r", "rt", "rb"}:
            raise ValueError("Resources can only be opened for reading.")
        path = os.path.join(self.root_path, resource)
        return open(path, mode, encoding=None if mode == "rb" else encoding)
