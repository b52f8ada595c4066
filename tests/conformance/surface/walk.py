"""List attributes of Flask and of the core in the same form: their kind, their default, whether they can be set."""

from __future__ import annotations

import inspect
import io
import types
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import flask

import wsgi_core

from ..flask_suite.plugin import flask_alias
from .private import read

SIDES = {"flask": (flask, flask.Flask), "core": (wsgi_core, wsgi_core.App)}

# Private attributes that extensions read, set or override.
PRIVATE = read()


def wanted(name: str) -> bool:
    """Return whether an attribute counts: it is public, or extensions use it."""
    return not name.startswith("_") or name in PRIVATE


def modules() -> Iterator[tuple[str, types.ModuleType, types.ModuleType]]:
    """Yield the name of each module of Flask, the module, and its twin in the core."""
    for name, alias in flask_alias.aliases().items():
        yield name, __import__(name, fromlist=["_"]), alias


def classes() -> Iterator[tuple[str, type, type]]:
    """Yield the name of each public class that Flask defines, the class, and its twin in the core."""
    for module_name, module, alias in modules():
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module_name and wanted(name) and hasattr(alias, name):
                yield f"{module_name}.{name}", value, getattr(alias, name)


def kind(owner: type, name: str) -> str:
    """Return the kind of a class attribute: "staticmethod", "classmethod", "method", "class" or "value"."""
    value = inspect.getattr_static(owner, name)
    if isinstance(value, staticmethod | classmethod):
        return type(value).__name__
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodDescriptorType):
        return "method"
    if isinstance(value, types.WrapperDescriptorType):
        return "method"
    # Properties and other descriptors give an object a value.
    return "class" if inspect.isclass(value) else "value"


@dataclass(frozen=True)
class Attribute:
    """An attribute of an object: the form of its value, and the result of setting it."""

    form: str
    settable: str


def form(value: object) -> str:
    """Return a value in a form that both sides share: the `repr` of a simple value, otherwise a word for its kind."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    if isinstance(value, t.Mapping | list | tuple | set | frozenset):
        return f"{_family(value)} of {len(value)}"
    return "callable" if callable(value) else "object"


def _family(value: object) -> str:
    families = {Mapping: "mapping", list: "list", tuple: "tuple"}
    return next((name for family, name in families.items() if isinstance(value, family)), "set")


def observed(make: Callable[[], t.Any], name: str) -> Attribute:
    """Read the attribute of a new object. Set it on another new object, and check whether reading returns the value."""
    try:
        seen = form(getattr(make(), name))
    except Exception as error:
        seen = f"raises {_error(error)}"
    subject, mark = make(), types.SimpleNamespace()
    try:
        setattr(subject, name, mark)
    except Exception as error:
        return Attribute(seen, f"raises {_error(error)}")
    try:
        return Attribute(seen, "yes" if getattr(subject, name) is mark else "changed")
    except Exception:
        return Attribute(seen, "changed")


def _error(error: Exception) -> str:
    return type(error).__name__


def environ() -> dict[str, t.Any]:
    """Return the environ of a request to ``/view``."""
    return {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/view", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "HTTP_HOST": "localhost", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
    }  # fmt: skip


def app_of(side: str) -> t.Any:
    """Return an application with a secret key and a view."""
    _, app_class = SIDES[side]
    app = app_class("surface", root_path="/surface", instance_path="/surface/instance")
    app.secret_key = "key"
    app.add_url_rule("/view", "view", lambda: "text")
    return app


def _pushed(context: t.Any) -> t.Any:
    context.push()
    return context


def _used(app: t.Any) -> t.Any:
    app.test_client().get("/view")
    return app


OBJECTS: dict[str, Callable[[str], t.Any]] = {
    "app": app_of,
    "app after a request": lambda side: _used(app_of(side)),
    "blueprint": lambda side: SIDES[side][0].Blueprint("part", "surface", root_path="/surface", url_prefix="/p"),
    "setup state": lambda side: OBJECTS["blueprint"](side).make_setup_state(app_of(side), {}),
    "app context": lambda side: app_of(side).app_context(),
    "app context, pushed": lambda side: _pushed(app_of(side).app_context()),
    "request context": lambda side: app_of(side).request_context(environ()),
    "request context, pushed": lambda side: _pushed(app_of(side).request_context(environ())),
    "request": lambda side: SIDES[side][0].Request(environ()),
    "request, pushed": lambda side: _pushed(app_of(side).request_context(environ())).request,
    "response": lambda side: SIDES[side][0].Response("text"),
    "session": lambda side: _pushed(app_of(side).request_context(environ())).session,
    "g": lambda side: _pushed(app_of(side).app_context()).g,
    "config": lambda side: app_of(side).config,
    "test client": lambda side: app_of(side).test_client(),
    "command runner": lambda side: app_of(side).test_cli_runner(),
    # A new object, because the session interface of an app is an attribute of its class.
    "session interface": lambda side: type(app_of(side).session_interface)(),
    "JSON provider": lambda side: app_of(side).json,
    "Jinja environment": lambda side: app_of(side).jinja_env,
    "command group": lambda side: app_of(side).cli,
    "URL map": lambda side: app_of(side).url_map,
}


def names(side: str, title: str) -> list[str]:
    """Return the attributes that count of one of `OBJECTS`."""
    return sorted(name for name in dir(OBJECTS[title](side)) if wanted(name))
