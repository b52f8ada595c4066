"""Make ``import flask`` import modules of `wsgi_core`, and say which modules take the place of which.

This file has its own folder, which is put on the ``sys.path`` of the processes that run the tests of Flask and of its
extensions. The environment variable ``FLASK_SUITE_VERSION`` is the version that ``flask.__version__`` has.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import typing as t
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# Read at import, because some of Flask's tests replace os.environ.
VERSION = os.environ.get("FLASK_SUITE_VERSION", "")

# Each module of Flask, and the modules of wsgi_core in which its names are looked up, in this order.
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
# The names that intentionally differ from Flask's.
RENAMED = {"Flask": "App", "_endpoint_from_view_func": "endpoint_from_view_func"}


class Alias(ModuleType):
    """A module with the name of a Flask module and the attributes of its twins in wsgi_core."""

    __version__: str
    main: Callable[[], t.Any]

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


class NoOtherFlask:
    """A finder that prevents imports of the installed Flask."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "flask" or name.startswith("flask."):
            raise ModuleNotFoundError(f"nothing in wsgi_core answers for {name!r}", name=name)
        return None


def answer_with(modules: dict[str, t.Any]) -> None:
    """Make `modules` (by name) the only modules of Flask that can be imported."""
    sys.meta_path.insert(0, NoOtherFlask())
    for name, module in modules.items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)


def aliases() -> dict[str, Alias]:
    """Return an `Alias` for each module of Flask that has a twin. Raises ImportError without wsgi_core."""
    importlib.import_module("wsgi_core")
    found = {name: [m for twin in twins if (m := _import(twin))] for name, twins in TWINS.items()}
    made = {name: Alias(name, twins) for name, twins in found.items() if twins}
    made["flask"].__version__ = VERSION
    made["flask.cli"].main = lambda: made["flask.cli"].cli.main(prog_name="flask")
    return made


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def say_version(version: str) -> None:
    """Make ``importlib.metadata.version("flask")`` return `version`, even if Flask is not installed."""
    metadata: t.Any = importlib.metadata
    asked: Callable[[str], str] = metadata.version
    metadata.version = lambda name: version if name.lower() == "flask" else asked(name)


def widen_warning_filters() -> None:
    """Apply a warning filter for the module ``flask.app`` to all of wsgi_core, where the class has several files."""
    plain: Callable[..., None] = warnings.filterwarnings

    def filterwarnings(
        action: str, message: str = "", category: type[Warning] = Warning, module: str = "", *rest: t.Any, **more: t.Any
    ) -> None:
        plain(action, message, category, r"wsgi_core\." if module == "flask.app" else module, *rest, **more)

    warnings.filterwarnings = filterwarnings


def find_plugins_of_flask() -> None:
    """Make the core's command line find the commands that extensions register for Flask's command line."""
    metadata: t.Any = importlib.metadata
    asked: Callable[..., t.Any] = metadata.entry_points

    def entry_points(**params: t.Any) -> t.Any:
        return asked(
            **(params | {"group": "flask.commands"} if params.get("group") == "wsgi_core.commands" else params)
        )

    metadata.entry_points = entry_points


def install() -> None:
    """Put `wsgi_core` in Flask's place in this process. A second call does nothing."""
    if not isinstance(sys.modules.get("flask"), Alias):
        widen_warning_filters()
        answer_with(aliases())
