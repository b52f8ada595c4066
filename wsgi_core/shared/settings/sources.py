"""Where the settings come from: a TOML file, the environment, a command's options; the later of them wins.

What holds is decided once, at the start. Whatever does not fit is an error that says where it stands, and for a
name that does not exist which one is nearest: a misspelt limit would otherwise silently be no limit at all.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import re
import tomllib
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from .schema import Settings

PREFIX = "WSGI_CORE_"
"""What the variables of the environment begin with."""

FILE = "wsgi-core.toml"
"""The file that is read from the current folder if no other is named."""

# They share the prefix and are no settings: the file, and where fetched things are kept.
_OTHER_VARIABLES = {"CONFIG", "CACHE"}

# NOTE: in Kubernetes a Service called wsgi-core gives every pod variables of these names. WSGI_CORE_PORT is one of
# them, and then holds an address.
_SERVICE_LINK = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

_USER = re.compile(r"//.*@")


class ConfigurationError(Exception):
    """Settings that do not fit. `problems`: a line for each, which begins with where it stands."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings that hold; for each that is not a default where it comes from; the file that was read, if any."""

    settings: Settings
    sources: dict[str, str]
    file: Path | None
    found: bool = False
    """Whether the file was only found in the current folder, and nobody has named it."""

    def source(self, name: str) -> str:
        """`--port`, `WSGI_CORE_PORT`, the file's path, or `default`."""
        return self.sources.get(name, "default")


@dataclass(frozen=True, slots=True)
class _Value:
    """What a source says about one setting, and how that place is called."""

    value: object
    source: str


def load_settings(
    options: Mapping[str, object] | None = None,
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Return the settings of a file, the environment and options, by their names; an option that is None is not given.

    The file: `config`, or what `WSGI_CORE_CONFIG` names, or `wsgi-core.toml` in the current folder if there is one.
    `environ` defaults to the process's own. Raises `ConfigurationError` with everything that is wrong in all of them.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    file = _find_file(config, environ)
    found = file is not None and not (config or environ.get(PREFIX + "CONFIG"))
    values = {
        **(_from_file(file, problems) if file else {}),
        **_from_environ(environ, problems),
        **_from_options(options or {}),
    }
    if found:
        problems += _leaking_secrets(values, str(file))
    settings = _validate(values, problems)
    if settings is None or problems:
        raise ConfigurationError(problems)
    return Loaded(settings, {name: value.source for name, value in values.items()}, file, found)


def variable(name: str) -> str:
    """Return the name of a setting in the environment."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """Return the name of a setting as a command's option."""
    return "--" + name.replace("_", "-")


@functools.cache
def is_secret(name: str) -> bool:
    """Return whether the value of a setting must not be shown."""
    return _mentions(Settings.model_fields[name].annotation, SecretStr)


def shown(settings: Settings) -> dict[str, t.Any]:
    """Return the values as JSON has them, with secrets masked."""
    models = {name: own.model_dump(mode="json", exclude_unset=True) for name, own in settings.model_settings.items()}
    return settings.model_dump(mode="json") | {"model_settings": models}


# The sources


def _find_file(config: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    if given := config or environ.get(PREFIX + "CONFIG"):
        return Path(given)
    return Path(FILE) if Path(FILE).is_file() else None


def _from_file(file: Path, problems: list[str]) -> dict[str, _Value]:
    """Return the file's values that have the right type. Relative paths in the file start from its own folder."""
    values = _read_toml(file)
    for name in values.keys() - Settings.model_fields.keys():
        problems.append(_unknown(f"{file}: there is no setting {name!r}", name, Settings.model_fields))
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    wrong = set()
    for name, message in _type_errors(known):
        wrong.add(name)
        problems.append(f"{file}: {name}: {message}")
    return {
        name: _Value(_from_folder(file, name, value), str(file)) for name, value in known.items() if name not in wrong
    }


def _read_toml(file: Path) -> dict[str, t.Any]:
    try:
        # Editors on Windows begin a file with a byte order mark, which TOML does not have.
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeError as error:
        raise ConfigurationError([f"{file}: is not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{file}: is not TOML: {error}"]) from error


def _type_errors(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield each value of another type than the schema has: TOML has types, and so "8" is not a number there."""
    try:
        Settings.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        yield from _by_setting(error, values)


def _from_folder(file: Path, name: str, value: object) -> object:
    """Return a value of the file, in which relative paths begin in the file's folder."""
    if name == "job_store" and isinstance(value, str):
        return value if "://" in value else str(file.parent / value)
    return _paths_from(file, Settings.model_fields[name].annotation, value)


def _paths_from(file: Path, annotation: object, value: object) -> object:
    if isinstance(value, dict):
        inner: t.Any = next((arg for arg in t.get_args(annotation) if _is_model(arg)), None)
        fields = inner.model_fields if inner else {}
        return {
            key: {name: _paths_from(file, fields[name].annotation, each) for name, each in table.items()}
            if inner
            else table
            for key, table in value.items()
        }
    if not _mentions(annotation, Path):
        return value
    if isinstance(value, list):
        return [file.parent / each for each in value]
    return file.parent / value if isinstance(value, str) else value


def is_table(annotation: object) -> bool:
    """Tell whether a value of this type is a table with values of its own."""
    return t.get_origin(annotation) is dict or _is_model(annotation)


def _is_model(annotation: t.Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _from_environ(environ: Mapping[str, str], problems: list[str]) -> dict[str, _Value]:
    """Return the values of the environment; an empty variable counts as missing."""
    values: dict[str, _Value] = {}
    for key, text in environ.items():
        name = key.removeprefix(PREFIX)
        if name == key or not text or name in _OTHER_VARIABLES or _is_service_link(name, text):
            continue
        if name.lower() in Settings.model_fields and name.isupper():
            values[name.lower()] = _Value(_from_text(name.lower(), text), key)
        else:
            known = map(variable, Settings.model_fields)
            problems.append(_unknown(f"{key}: there is no such setting", key.upper(), known))
    return values


def _is_service_link(name: str, text: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or (name == "PORT" and _SERVICE_ADDRESS.match(text)))


def _from_options(options: Mapping[str, object]) -> dict[str, _Value]:
    return {
        name: _Value(_from_text(name, value) if isinstance(value, str) else value, option(name))
        for name, value in options.items()
        if value is not None
    }


def _from_text(name: str, text: str) -> object:
    """Split a list, written `a,b`, and a table, written `a=1,b=2`. The schema reads everything else itself."""
    annotation = Settings.model_fields[name].annotation
    if not _mentions(annotation, tuple, dict):
        return text
    if text.startswith("{"):
        with contextlib.suppress(ValueError):
            return json.loads(text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if _mentions(annotation, dict):
        if not all("=" in part for part in parts):
            return text  # no table, which the schema says without a word of it
        return {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in parts)}
    return parts


# What is wrong

# Where each secret is sent to, and with the key of the service, what asks a server for something.
_SENT_TO = {"chat_key": "chat_url", "job_store_password": "job_store"}


def _leaking_secrets(values: Mapping[str, _Value], file: str) -> Iterator[str]:
    """Yield a problem for each secret that is not in the file but would be sent where the file says.

    APPSEC: whoever can write into the folder would otherwise get the secrets of everyone who starts a server there.
    """
    for secret, place in _SENT_TO.items():
        if secret in values and place in values and values[place].source == file != values[secret].source:
            yield (
                f"{values[secret].source}: would be sent to the {place} of {file}, which was found in this folder;"
                f" name the file with --config or {PREFIX}CONFIG if you trust it"
            )


def _validate(values: Mapping[str, _Value], problems: list[str]) -> Settings | None:
    """Return the settings; None if something is wrong, which is then added to the problems."""
    given = {name: value.value for name, value in values.items()}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        for name, message in _by_setting(error, given):
            source = values[name].source if name in values else "settings"
            problems.append(f"{source}: {name}: {message}" if source.endswith(".toml") else f"{source}: {message}")
        return None


def _by_setting(error: ValidationError, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the setting of each problem (empty if it concerns several), and the problem in words."""
    for problem in error.errors(include_url=False, include_context=False):
        name, *inner = map(str, problem["loc"] or ("",))
        secret = bool(name) and is_secret(name)
        place = _entry(values[name], inner) if secret else ".".join(inner)
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        empty = problem["type"] == "string_too_short" and problem["input"] == ""
        message = "must not be empty" if empty else message
        got = "" if secret or empty or not name else f", not {_masked(problem['input'])!r:.100}"
        yield name, (f"{place}: " if place else "") + message + got


def _entry(table: object, inner: Sequence[str]) -> str:
    """Name the entry of a table of secrets by its number: written in the wrong place, a name is a secret as well."""
    if not inner or not isinstance(table, Mapping):
        return ""
    return f"entry {list(table).index(inner[0]) + 1}{', its name' if inner[-1] == '[key]' else ''}"


def _masked(value: object) -> object:
    """Return the value without the user and password of a URL, which must not be shown."""
    return _USER.sub("//***@", value) if isinstance(value, str) else value


def _unknown(message: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), 1)
    return f"{message}; the nearest is {nearest[0]}" if nearest else message


def _mentions(annotation: object, *types: type) -> bool:
    """Return whether an annotation is one of the types, or contains one (`Path | None`, `dict[str, SecretStr]`)."""
    if annotation in types or t.get_origin(annotation) in types:
        return True
    return any(_mentions(part, *types) for part in t.get_args(annotation))
