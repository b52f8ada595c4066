"""Loads the application to serve: the inference service, or the WSGI application that `--app` names."""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
import typing as t

from ..cli import NoAppException, call_factory, parse_app_name, prepare_import
from ..shared.access import HEALTH
from ..shared.installation import install_command
from ..shared.settings import Settings
from ..shared.settings.schema import SERVICES
from ..shared.settings.sources import ConfigurationError
from .monitoring import MonitoredApplication

if t.TYPE_CHECKING:
    from types import ModuleType

EXIT_INVALID_SETTING = 2
EXIT_APPLICATION = 3

MONITORING = HEALTH | {"/metrics"}
"""The service's paths for health checks and metrics. Even under overload, the server accepts GET and HEAD requests to
these paths.
"""

STREAM_PATH = "/predict/stream"
"""The path at which the service reads the request body in pieces. The body limit is
`settings.stream_max_content_length`.
"""

_NAMES = ("app", "application")
_FACTORIES = ("create_app", "make_app")


class StartError(Exception):
    """Raised if the server cannot start. `code` is the exit code of the process."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[StartError], tuple[str, int]]:
        return type(self), (str(self), self.code)


def load_application(settings: Settings) -> t.Any:
    """Return the WSGI application to serve.

    If `settings.app` is set, import this application, and wrap it in `MonitoredApplication`. Otherwise, create the
    inference service on `settings.framework`.

    Raises StartError if the application or a model cannot be loaded, if Flask is needed and not installed, or if a
    setting is not valid.
    """
    if settings.app:
        _refuse_service_settings(settings)
        return MonitoredApplication(load_wsgi_application(settings.app), settings)
    return _load_service(settings)


def _refuse_service_settings(settings: Settings) -> None:
    """Raise StartError if `api_key` or `trusted_hosts` is set. Only the service checks API keys and host names."""
    given = [name for name in ("api_key", "trusted_hosts") if getattr(settings, name)]
    if given:
        message = f"{given[0]} has no effect with --app: remove the setting, and make this check in your application"
        raise StartError(message, EXIT_INVALID_SETTING)


def load_wsgi_application(import_path: str) -> t.Any:
    """Import a module, and return its WSGI application.

    `import_path` is `module`, `module:name` or `module:factory(args)`. `module` is a dotted name or a file name.

    Without a name, return the module's `app` or `application`, or the result of its `create_app` or `make_app`. If
    `name` is a function without required parameters, call the function as a factory, because a WSGI application has two
    required parameters (PEP 3333).

    Raises StartError if the import or the factory fails, if the name does not exist, or if the result is not a WSGI
    application.
    """
    # Split at the colon before the name, not at the colon of a Windows drive.
    path, *name = re.split(r":(?![\\/])", import_path, maxsplit=1)
    try:
        module = _import(prepare_import(path))
        found = _load_named(module, name[0]) if name else _load_default(module)
    except NoAppException as error:
        raise StartError(f"--app {import_path}: {error.message}", EXIT_APPLICATION) from error
    except Exception as error:
        raise StartError(f"--app {import_path}: {_describe_error('the factory', error)}", EXIT_APPLICATION) from error
    if not callable(found):
        kind = type(found).__name__
        raise StartError(f"--app {import_path} is a {kind}, not a WSGI application", EXIT_APPLICATION)
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__):
        message = f"--app {import_path} is an ASGI application, but the server needs a WSGI application: use an adapter"
        raise StartError(message, EXIT_APPLICATION)
    return found


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NoAppException(f"there is no module {error.name!r} in this folder or on the Python path") from error
        raise NoAppException(_describe_error(f"importing {name!r}", error)) from error
    except Exception as error:
        raise NoAppException(_describe_error(f"importing {name!r}", error)) from error


def _describe_error(action: str, error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())
    return f"{action} raised {type(error).__name__}: {message} ({last.filename}, line {last.lineno})"


def _load_named(module: ModuleType, text: str) -> t.Any:
    name, args, kwargs = parse_app_name(text)
    try:
        found = getattr(module, name)
    except AttributeError as error:
        raise NoAppException(f"the module {module.__name__!r} has no {name!r}") from error
    if text.strip().endswith(")") or _is_factory(found):
        return call_factory(found, args, kwargs, f"{name!r} could not be called with these arguments")
    return found


def _load_default(module: ModuleType) -> t.Any:
    for name in _NAMES:
        if callable(found := getattr(module, name, None)):
            return found
    for name in _FACTORIES:
        if inspect.isfunction(found := getattr(module, name, None)):
            return call_factory(found, [], {}, f"{name!r} needs arguments: write them, as in '{name}(args)'")
    names = ", ".join((*_NAMES, *_FACTORIES))
    raise NoAppException(f"the module {module.__name__!r} has none of {names}: write the name, as in 'module:name'")


def _is_factory(found: t.Any) -> bool:
    """Return whether `found` is a function that can be called without arguments."""
    if not inspect.isfunction(found):
        return False
    try:
        inspect.signature(found).bind()
    except TypeError:
        return False
    return True


def _load_service(settings: Settings) -> t.Any:
    from ..inference import ModelError

    try:
        module = importlib.import_module(SERVICES[settings.framework])
        return module.create_app(settings=settings.with_loopback_hosts())
    except ConfigurationError as error:
        raise StartError(str(error), EXIT_INVALID_SETTING) from error
    except ModelError as error:
        raise StartError(str(error), EXIT_APPLICATION) from error
    except ModuleNotFoundError as error:
        if error.name != "flask":
            raise
        raise StartError(f"--framework flask needs Flask: {install_command('flask')}", 1) from error


def server_arguments(app: t.Any, settings: Settings) -> dict[str, t.Any]:
    """Return the keyword arguments of `Server` that depend on the application. docs/develop/server.md explains them.

    `app` comes from `load_application`.
    """
    if settings.app:
        health, metrics = ({path} if path else set() for path in (settings.health_path, settings.metrics_path))
        return {"monitoring": health | metrics, "health": health}
    return {
        "monitoring": MONITORING,
        "health": HEALTH,
        "body_limits": {STREAM_PATH: settings.stream_max_content_length},
        "check_head": app.extensions.get("check_head"),
    }


def describe(app: t.Any, settings: Settings) -> str:
    """Return a description of `app` for the start message. `app` comes from `load_application`."""
    if settings.app:
        return f"application {settings.app}"
    models = app.extensions["models"]
    names = [*(model.id for model in models.models), *(f"{name} (on demand)" for name in models.pending)]
    return f"framework {settings.framework}, models {', '.join(names)}"
