"""Import an application by its name ``module:app``, as servers do, with error messages for the user."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any

from loadtests.child import import_from_here


class AppError(Exception):
    """An application cannot be loaded or measured. The message is for the user."""


def load_app(target: str) -> Any:
    """Return the application ``"module:app"``, or the result of the call ``"module:factory(...)"``.

    The module is imported from the current folder or from the installed packages. Raises ``AppError`` if the module or
    the name does not exist, or if the name is not valid. Also raises ``AppError`` if an argument of the call is not a
    literal, or if the object is not a WSGI or ASGI application.
    """
    module, _, expression = target.partition(":")
    if not module.startswith("loadtests.rungs."):
        import_from_here()
    found = _evaluate(_import(module), expression)
    _check(found, target)
    return found


def load_function(target: str) -> Callable[[], object]:
    """Return the user's function ``"module:name"``. If ``target`` is empty, return a function that does nothing.

    Raises ``AppError`` if the module or the name does not exist, or if the import of the module raises ImportError,
    AttributeError or ValueError.
    """
    if not target:
        return lambda: None
    import_from_here()
    module, _, name = target.partition(":")
    try:
        function: Callable[[], object] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AppError(f"{target}: {error}") from error
    return function


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        # If the application itself imports a missing module, the names differ, and the user needs the traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise AppError(f"no module {error.name!r} in {os.getcwd()} or among the installed packages") from error


def _evaluate(module: Any, expression: str) -> Any:
    """Return the object that ``expression`` names. If ``expression`` is a call, return the result of the call. Its
    arguments must be literals.

    The name may have dots, as in ``"package.app"``.
    """
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
        raise AppError(f"{expression!r}: only literal arguments are supported") from error
    return function(*arguments, **named)


def _find(module: Any, dotted: str) -> Any:
    try:
        return attrgetter(dotted)(module)
    except AttributeError as error:
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        there = f"; it has {', '.join(sorted(names)[:12])}" if names else ""
        raise AppError(f"{module.__name__} has no {dotted!r}{there}") from error


def is_asgi(app: Any) -> bool:
    """Return whether ``app`` is an ASGI 3 application.

    An ASGI 3 application is a coroutine function, an object whose ``__call__`` is a coroutine function, or a callable
    that needs three arguments.
    """
    if inspect.isclass(app) or not callable(app):
        return False
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004
        return True
    return _takes(app, 3) and not _takes(app, 2)


def _takes(app: Any, count: int) -> bool:
    """Return whether ``app`` can be called with ``count`` arguments. If its signature is not known, return True."""
    try:
        inspect.signature(app).bind(*[None] * count)
    except ValueError:  # a callable written in C may have no signature
        return True
    except TypeError:
        return False
    return True


def _check(app: Any, target: str) -> None:
    if not callable(app):
        raise AppError(f"{target} is of type {type(app).__name__}: it cannot be called, so it is not an application")
    if not is_asgi(app) and not _takes(app, 2):
        hint = f": it looks like a factory; write {target}()" if inspect.isfunction(app) else ""
        raise AppError(f"{target}{inspect.signature(app)} does not take (environ, start_response){hint}")
