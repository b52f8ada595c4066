"""From ``module:app``, as servers take it, to the WSGI application, with errors that help."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class AppError(Exception):
    """An application that is no WSGI application, or a specification that names none; the text is for the user."""


def load_app(target: str) -> WSGIApplication:
    """Import ``"module:app"`` or ``"module:factory(...)"`` from the current folder or the installed packages.

    Raises ``AppError`` when there is no such name or it is no WSGI application.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module, _, expression = target.partition(":")
    found = _evaluate(_import(module), expression)
    _check(found, target)
    app: WSGIApplication = found
    return app


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        # A module that the application itself misses has another name, and deserves its traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise AppError(f"no module {error.name!r} in {os.getcwd()} or among the installed packages") from error


def _evaluate(module: Any, expression: str) -> Any:
    """A dotted name, or the call of one with literal arguments, as gunicorn takes it."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise AppError(f"{expression!r}: expected a name, or a call such as create_app()") from error
    if not isinstance(tree, ast.Call):
        return _find(module, expression)
    function = _find(module, ast.unparse(tree.func))
    try:
        arguments = [ast.literal_eval(argument) for argument in tree.args]
        named = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
    except ValueError as error:
        raise AppError(f"{expression!r}: only literal arguments can be given") from error
    return function(*arguments, **named)


def _find(module: Any, dotted: str) -> Any:
    found = module
    for name in dotted.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            there = f"; it has {', '.join(sorted(names)[:12])}" if names else ""
            raise AppError(f"{module.__name__} has no {dotted!r}{there}") from error
    return found


def _check(app: Any, target: str) -> None:
    if not callable(app):
        raise AppError(f"{target} is a {type(app).__name__}, and no WSGI application: it cannot be called")
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004
        raise AppError(f"{target} is an ASGI application; WSGI applications are measured here")
    try:
        signature = inspect.signature(app)
    except ValueError:
        return
    try:
        signature.bind({}, None)
    except TypeError:
        hint = f": it looks like a factory, for which {target}() is written" if inspect.isfunction(app) else ""
        raise AppError(f"{target}{signature} does not take (environ, start_response){hint}") from None
