"""Flask's modules by name, answered by wsgi_core: what lets a program that imports flask run on the core."""

from __future__ import annotations

import importlib
import os
import typing as t
from collections.abc import Sequence
from types import ModuleType

# The version that the modules say is theirs.
VERSION = os.environ.get("FLASK_SUITE_VERSION", "3.1.3")
# Each module of Flask, and the modules of wsgi_core that have what it has.
_PARTS_OF_APP = ("app", "base", "routing", "errors", "responses", "templating", "scaffold")
_APP = tuple(f"wsgi_core.{part}" for part in _PARTS_OF_APP)
TWINS: dict[str, tuple[str, ...]] = {
    "flask": ("wsgi_core",),
    "flask.app": _APP,
    "flask.blueprints": ("wsgi_core.blueprints", "wsgi_core.cli", "wsgi_core.helpers"),
    "flask.cli": ("wsgi_core.cli",),
    "flask.config": ("wsgi_core.config",),
    "flask.ctx": ("wsgi_core.context",),
    "flask.debughelpers": ("wsgi_core.debughelpers",),
    "flask.globals": ("wsgi_core.context",),
    "flask.helpers": ("wsgi_core.helpers", "wsgi_core.paths", "wsgi_core.wrappers"),
    "flask.json": ("wsgi_core.json",),
    "flask.json.provider": ("wsgi_core.json",),
    "flask.json.tag": ("wsgi_core.sessions",),
    "flask.logging": ("wsgi_core.logging", "wsgi_core.context"),
    "flask.sansio": ("wsgi_core",),
    "flask.sansio.app": _APP,
    "flask.sansio.blueprints": ("wsgi_core.blueprints", "wsgi_core.scaffold"),
    "flask.sansio.scaffold": ("wsgi_core.scaffold", "wsgi_core.paths"),
    "flask.sessions": ("wsgi_core.sessions",),
    "flask.signals": ("wsgi_core.signals",),
    "flask.templating": ("wsgi_core.templating", "wsgi_core.scaffold"),
    "flask.testing": ("wsgi_core.testing", "wsgi_core.sessions"),
    "flask.typing": ("wsgi_core.typing",),
    "flask.views": ("wsgi_core.views",),
    "flask.wrappers": ("wsgi_core.wrappers", "wsgi_core.context"),
}
# The names that differ by intention.
RENAMED = {"Flask": "App"}


class Alias(ModuleType):
    """A module with a name of Flask's whose attributes are those of its twins in wsgi_core."""

    __version__: str

    def __init__(self, name: str, twins: Sequence[ModuleType]) -> None:
        super().__init__(name, f"{name}, answered by wsgi_core")
        self.__path__: list[str] = []
        self._twins = tuple(twins)

    def __getattr__(self, name: str) -> t.Any:
        for twin in self._twins:
            for spelling in (RENAMED.get(name, name), name):
                if hasattr(twin, spelling):
                    return getattr(twin, spelling)
        raise AttributeError(f"{self.__name__}: wsgi_core has no {name!r}")


def aliases() -> dict[str, Alias]:
    """An `Alias` for each module of Flask that has a twin. wsgi_core itself has to be importable."""
    importlib.import_module("wsgi_core")
    found = {name: [m for twin in twins if (m := _import(twin))] for name, twins in TWINS.items()}
    made = {name: Alias(name, twins) for name, twins in found.items() if twins}
    made["flask"].__version__ = VERSION
    return made


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
