"""The sources of the settings: a TOML file, environment variables, and a command's options.

Options override environment variables, and environment variables override the file. An invalid value and an unknown
name are errors. The error names the source, and suggests a known name if a similar name exists.
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
"""The prefix of the environment variables."""

FILE = "wsgi-core.toml"
"""The name of the file that is read from the current folder if the user names no file."""

# Environment variables that have the prefix but are not settings: the settings file, and the cache folder.
_OTHER_VARIABLES = {"CONFIG", "CACHE"}

# NOTE: if a Kubernetes Service is called wsgi-core, the pods of its namespace get environment variables that begin with
# WSGI_CORE_. These patterns recognize them. WSGI_CORE_PORT is both such a variable, with an address, and a setting.
_SERVICE_LINK = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

_USER = re.compile(r"//.*@")


class ConfigurationError(Exception):
    """Raised if settings are not valid, or if the job store that they name is not available.

    `problems` has one line for each problem.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Loaded:
    """The loaded settings, and where they come from.

    sources: the source of each setting that was given, by name
    file: the file that was read, or None
    """

    settings: Settings
    sources: dict[str, str]
    file: Path | None
    found: bool = False
    """Whether the file is `FILE` in the current folder, and the user has not named it."""

    def source(self, name: str) -> str:
        """Return the source of a setting: `--port`, `WSGI_CORE_PORT`, the file's path, or `default`."""
        return self.sources.get(name, "default")


@dataclass(frozen=True, slots=True)
class _Value:
    value: object
    source: str


def load_settings(
    options: Mapping[str, object] | None = None,
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the settings: options override environment variables, and environment variables override the file.

    `options` has the options' values by setting name. None means that the option is not given. The file is `config`, or
    the file that `WSGI_CORE_CONFIG` names, or `wsgi-core.toml` in the current folder if it exists. `environ` defaults
    to `os.environ`. Raises `ConfigurationError` with all problems, or with only one problem if the file cannot be read
    or parsed.
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
    """Return the name of the environment variable for a setting."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """Return the name of the command-line option for a setting."""
    return "--" + name.replace("_", "-")


@functools.cache
def is_secret(name: str) -> bool:
    """Return whether the value of a setting is a secret, which must not be shown."""
    return _mentions(Settings.model_fields[name].annotation, SecretStr)


def masked_values(settings: Settings) -> dict[str, t.Any]:
    """Return the settings as JSON values. Secrets are masked."""
    models = {name: own.model_dump(mode="json", exclude_unset=True) for name, own in settings.model_settings.items()}
    return settings.model_dump(mode="json") | {"model_settings": models}


# Sources


def _find_file(config: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    if given := config or environ.get(PREFIX + "CONFIG"):
        return Path(given)
    return Path(FILE) if Path(FILE).is_file() else None


def _from_file(file: Path, problems: list[str]) -> dict[str, _Value]:
    """Return the settings in `file`. Relative paths are resolved against the folder of the file, except in `app`.

    Unknown names and invalid values are omitted, and a problem is added to `problems` for each. Raises
    `ConfigurationError` if the file cannot be read or parsed.
    """
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
        # Editors on Windows write a byte order mark, which TOML does not allow.
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeError as error:
        raise ConfigurationError([f"{file}: is not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{file}: is not TOML: {error}"]) from error


def _type_errors(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the setting and the error for each value that the schema rejects.

    The types are strict. In a TOML file, the string "8" is not accepted as a number.
    """
    try:
        Settings.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        yield from _by_setting(error, values)


def _from_folder(file: Path, name: str, value: object) -> object:
    """Return the value of a setting, with its relative paths resolved against the folder of `file`.

    The value of `app` is unchanged, even if it names a file.
    """
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
    """Return whether a value of this type is a table in TOML."""
    return t.get_origin(annotation) is dict or _is_model(annotation)


def _is_model(annotation: t.Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _from_environ(environ: Mapping[str, str], problems: list[str]) -> dict[str, _Value]:
    """Return the values of the environment variables. An empty variable counts as not set.

    If a variable begins with `PREFIX` and is not the upper-case name of a setting, a problem is added to `problems`.
    The variables in `_OTHER_VARIABLES`, and those that Kubernetes sets for a Service, are ignored.
    """
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
    """Parse the text of a list (`a,b`) or a table (`a=1,b=2`, or JSON). Return the text of other values unchanged."""
    annotation = Settings.model_fields[name].annotation
    if not _mentions(annotation, tuple, dict):
        return text
    if text.startswith("{"):
        with contextlib.suppress(ValueError):
            return json.loads(text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if _mentions(annotation, dict):
        if not all("=" in part for part in parts):
            return text  # not a table: the schema reports the error, and does not show the text of a secret
        return {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in parts)}
    return parts


# Problems

# The secrets that are sent to another server, each with the setting that names this server.
_SENT_TO = {"chat_key": "chat_url", "job_store_password": "job_store"}

# The settings that can name code, which runs in the server's process and can read all of its secrets.
_CODE = ("app", "custom_op_libraries", "provider_options", "model_settings")


def _leaking_secrets(values: Mapping[str, _Value], file: str) -> Iterator[str]:
    """Yield a problem for each secret that `file` could leak, unless `file` itself contains the secret.

    The file leaks a secret if it names the server that gets the secret, or code that could read the secret.

    APPSEC: without this check, a user who can write the file could steal the secrets of users who start a server in its
    folder.
    """
    named = [place for place in (*_SENT_TO.values(), *_CODE) if place in values and values[place].source == file]
    code = [place for place in named if place in _CODE and _names_code(place, values[place].value)]
    for secret, value in values.items():
        if not is_secret(secret) or value.source == file:
            continue
        end = f"{file}, which was found in this folder; name the file with --config or {PREFIX}CONFIG if you trust it"
        if _SENT_TO.get(secret) in named:
            yield f"{value.source}: would be sent to the {_SENT_TO[secret]} of {end}"
        elif code:
            yield f"{value.source}: could be read by the code that {code[0]} names in {end}"


def _names_code(name: str, value: object) -> bool:
    """Return whether the value of a setting in `_CODE` names code. An empty value names no code.

    `model_settings` names code only if the table of a model has one of the other settings in `_CODE`.
    """
    if name != "model_settings":
        return bool(value)
    tables = value.values() if isinstance(value, Mapping) else ()
    return any(isinstance(table, Mapping) and table.get(code) for table in tables for code in _CODE)


def _validate(values: Mapping[str, _Value], problems: list[str]) -> Settings | None:
    """Return the settings. If they are not valid, add each error to `problems`, and return None."""
    given = {name: value.value for name, value in values.items()}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        for name, message in _by_setting(error, given):
            source = values[name].source if name in values else "settings"
            problems.append(f"{source}: {name}: {message}" if source.endswith(".toml") else f"{source}: {message}")
        return None


def _by_setting(error: ValidationError, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the setting and the message of each error. The setting is "" if an error concerns several settings."""
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
    """Return a description of an entry in a table of secrets: its number, without its name.

    A user may have written a secret in the place of the name.
    """
    if not inner or not isinstance(table, Mapping):
        return ""
    return f"entry {list(table).index(inner[0]) + 1}{', its name' if inner[-1] == '[key]' else ''}"


def _masked(value: object) -> object:
    """Return the value. If it is text, the user and the password of a URL in it are masked.

    Everything from the first `//` to the last `@` is replaced.
    """
    return _USER.sub("//***@", value) if isinstance(value, str) else value


def _unknown(message: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), 1)
    return f"{message}; the nearest is {nearest[0]}" if nearest else message


def _mentions(annotation: object, *types: type) -> bool:
    """Return whether an annotation is or contains one of the types. For example, `Path | None` contains `Path`."""
    if annotation in types or t.get_origin(annotation) in types:
        return True
    return any(_mentions(part, *types) for part in t.get_args(annotation))
