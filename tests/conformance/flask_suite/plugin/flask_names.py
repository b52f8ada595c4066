"""Flask's modules by name, answered by wsgi_core: what lets a program that imports flask run on the core."""

from __future__ import annotations

import importlib
import typing as t
from collections.abc import Sequence
from types import ModuleType

# Each module of Flask, and the modules of wsgi_core that have what it has.
TWINS: dict[str, tuple[str, ...]] = {
    "flask": ("wsgi_core",),
    "flask.app": ("wsgi_core.app",),
    "flask.blueprints": ("wsgi_core.blueprints",),
    "flask.cli": ("wsgi_core.cli",),
    "flask.config": ("wsgi_core.config",),
    "flask.ctx": ("wsgi_core.context",),
    "flask.debughelpers": ("wsgi_core.debughelpers",),
    "flask.globals": ("wsgi_core.context",),
    "flask.helpers": ("wsgi_core.helpers",),
    "flask.json": ("wsgi_core.json",),
    "flask.json.provider": ("wsgi_core.json",),
    "flask.json.tag": ("wsgi_core.sessions",),
    "flask.logging": ("wsgi_core.logging",),
    "flask.sansio": ("wsgi_core",),
    "flask.sansio.app": ("wsgi_core.app",),
    "flask.sansio.blueprints": ("wsgi_core.blueprints",),
    "flask.sansio.scaffold": ("wsgi_core.scaffold", "wsgi_core.paths"),
    "flask.sessions": ("wsgi_core.sessions",),
    "flask.signals": ("wsgi_core.signals",),
    "flask.templating": ("wsgi_core.templating",),
    "flask.testing": ("wsgi_core.testing",),
    "flask.typing": ("wsgi_core.scaffold",),
    "flask.views": ("wsgi_core.views",),
    "flask.wrappers": ("wsgi_core.wrappers",),
}
# The names that differ by intention.
RENAMED = {"Flask": "App"}


class Alias(ModuleType):
    """A module with a name of Flask's whose attributes are those of its twins in wsgi_core."""

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
    return {name: Alias(name, twins) for name, twins in found.items() if twins}


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
