"""An app's configuration: a dict with ways to fill it, and attributes of the app that stand for its keys."""

from __future__ import annotations

import json
import os
import types
import typing as t
from collections.abc import Callable, Mapping
from datetime import timedelta

from werkzeug.datastructures import ImmutableDict
from werkzeug.utils import import_string

DEFAULT_CONFIG: Mapping[str, t.Any] = ImmutableDict(
    DEBUG=None,
    TESTING=False,
    PROPAGATE_EXCEPTIONS=None,
    SECRET_KEY=None,
    SECRET_KEY_FALLBACKS=None,
    PERMANENT_SESSION_LIFETIME=timedelta(days=31),
    USE_X_SENDFILE=False,
    TRUSTED_HOSTS=None,
    SERVER_NAME=None,
    APPLICATION_ROOT="/",
    SESSION_COOKIE_NAME="session",
    SESSION_COOKIE_DOMAIN=None,
    SESSION_COOKIE_PATH=None,
    SESSION_COOKIE_HTTPONLY=True,
    SESSION_COOKIE_SECURE=False,
    SESSION_COOKIE_PARTITIONED=False,
    SESSION_COOKIE_SAMESITE=None,
    SESSION_REFRESH_EACH_REQUEST=True,
    MAX_CONTENT_LENGTH=None,
    MAX_FORM_MEMORY_SIZE=500_000,
    MAX_FORM_PARTS=1_000,
    SEND_FILE_MAX_AGE_DEFAULT=None,
    TRAP_BAD_REQUEST_ERRORS=None,
    TRAP_HTTP_EXCEPTIONS=False,
    EXPLAIN_TEMPLATE_LOADING=False,
    PREFERRED_URL_SCHEME="http",
    TEMPLATES_AUTO_RELOAD=None,
    MAX_COOKIE_SIZE=4093,
    PROVIDE_AUTOMATIC_OPTIONS=True,
)


Path = str | os.PathLike[str]
Load = Callable[[t.IO[t.Any]], t.Any]


class ConfigAttribute:
    """An attribute that reads and writes a key of ``config``, converted by ``get_converter`` when read."""

    def __init__(self, name: str, get_converter: Callable[[t.Any], t.Any] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    def __get__(self, obj: t.Any, owner: type | None = None) -> t.Any:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        return value if self.get_converter is None else self.get_converter(value)

    def __set__(self, obj: t.Any, value: t.Any) -> None:
        obj.config[self.__name__] = value


class Config(dict[str, t.Any]):
    """The configuration: only keys in capitals are taken from files and objects.

    Mirrors flask 3.1.3 config.py: Config.
    """

    def __init__(self, root_path: Path, defaults: Mapping[str, t.Any] | None = None) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Do as `from_pyfile` does, with the file name from an environment variable."""
        filename = os.environ.get(variable_name, "")
        if filename or silent:
            return bool(filename) and self.from_pyfile(filename, silent=silent)
        raise RuntimeError(f"The environment variable {variable_name!r} is not set to a configuration file's name.")

    def from_prefixed_env(self, prefix: str = "FLASK", *, loads: Callable[[str], t.Any] = json.loads) -> bool:
        """Take ``PREFIX_KEY=value`` from the environment, values as JSON or else text; ``__`` nests."""
        for name in sorted(os.environ):
            if not name.startswith(f"{prefix}_"):
                continue
            value: t.Any = os.environ[name]
            try:
                value = loads(value)
            except Exception:  # a loader of the caller's choice may raise anything; the text stands
                pass
            *parents, key = name.removeprefix(f"{prefix}_").split("__")
            target: dict[str, t.Any] = self
            for parent in parents:
                target = target.setdefault(parent, {})
            target[key] = value
        return True

    def from_pyfile(self, filename: Path, silent: bool = False) -> bool:
        """Run a Python file, relative to the root path, and take its names in capitals.

        Raises OSError if it can't be read, unless it is missing and ``silent``.
        """
        filename = os.path.join(self.root_path, filename)
        module = types.ModuleType("config")
        module.__file__ = filename
        source = self._read(filename, "rb", lambda file: file.read(), silent)
        if source is None:
            return False
        exec(compile(source, filename, "exec"), module.__dict__)
        self.from_object(module)
        return True

    def from_object(self, obj: object | str) -> None:
        """Take the attributes in capitals of an object, or of what an import string names."""
        if isinstance(obj, str):
            obj = import_string(obj)
        for key in dir(obj):
            if key.isupper():
                self[key] = getattr(obj, key)

    def from_file(self, filename: Path, load: Load, silent: bool = False, text: bool = True) -> bool:
        """Take what ``load(file)`` returns, such as ``json.load``, or ``tomllib.load`` with ``text=False``."""
        filename = os.path.join(self.root_path, filename)
        mapping = self._read(filename, "r" if text else "rb", load, silent)
        return mapping is not None and self.from_mapping(mapping)

    def _read(self, filename: str, mode: str, load: Load, silent: bool) -> t.Any | None:
        """Return what ``load`` makes of the file; None if it is missing and ``silent``."""
        try:
            with open(filename, mode, encoding=None if "b" in mode else "utf-8") as file:
                return load(file)
        except OSError as e:
            if silent and isinstance(e, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
                return None
            e.strerror = f"Unable to load configuration file ({e.strerror})"
            raise

    def from_mapping(self, mapping: Mapping[str, t.Any] | None = None, **kwargs: t.Any) -> bool:
        """Take the items in capitals of a mapping and of the keywords."""
        for key, value in {**dict(mapping or ()), **kwargs}.items():
            if key.isupper():
                self[key] = value
        return True

    def get_namespace(self, namespace: str, lowercase: bool = True, trim_namespace: bool = True) -> dict[str, t.Any]:
        """Return the items whose keys begin with ``namespace``, as keywords for somebody else's function."""
        start = len(namespace) if trim_namespace else 0
        found = {key[start:]: value for key, value in self.items() if key.startswith(namespace)}
        return {key.lower(): value for key, value in found.items()} if lowercase else found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict.__repr__(self)}>"
