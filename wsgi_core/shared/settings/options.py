"""The settings as options of a command. Secrets have no option, because other users can read a command line."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click
from pydantic.fields import FieldInfo

from ...inference.settings import PortablePath
from .schema import Settings
from .sources import FILE, ConfigurationError, Loaded, is_secret, is_table, load_settings, masked_values, option

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_METAVARS = {int: "INTEGER", float: "NUMBER", PortablePath: "PATH"}
_LIMITS = {"ge": "at least {:.10g}", "gt": "more than {:.10g}", "le": "at most {:.10g}", "lt": "less than {:.10g}"}


def settings_options(command: F) -> F:
    """Add an option for each setting that is not a secret, and the option `--config`, to a click command.

    The command gets these options as keyword arguments. An option that is not given is None.
    """
    for name, field in reversed(Settings.model_fields.items()):
        if not is_secret(name):
            command = _option(name, field)(command)
    return click.option(
        "--config", type=click.Path(path_type=Path), metavar="FILE",
        help=f"The TOML file with the settings. [default: WSGI_CORE_CONFIG, or {FILE} in the current folder]",
    )(command)  # fmt: skip


def load_for_command(config: Path | None, options: t.Mapping[str, object]) -> Loaded:
    """Load the settings for a command that has `settings_options`.

    Raises click.UsageError (exit code 2) if the settings cannot be loaded.
    """
    try:
        return load_settings(options, config)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def _option(name: str, field: FieldInfo) -> t.Callable[[F], F]:
    flag = option(name)
    text = _help(name, field)
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if t.get_origin(field.annotation) is t.Literal:
        return click.option(flag, name, type=click.Choice(t.get_args(field.annotation)), help=text)
    return click.option(flag, name, metavar=_metavar(field.annotation), help=text)


def _metavar(annotation: object) -> str:
    parts = {annotation, t.get_origin(annotation), *t.get_args(annotation)}
    if any(is_table(part) for part in t.get_args(annotation)):
        return "JSON"
    if dict in parts:
        return "NAME=VALUE,..."
    return "A,B,..." if tuple in parts else next((_METAVARS[part] for part in parts if part in _METAVARS), "TEXT")


def _help(name: str, field: FieldInfo) -> str:
    limits = [
        text.format(getattr(rule, key))
        for rule in field.metadata
        for key, text in _LIMITS.items()
        if hasattr(rule, key)
    ]
    default = masked_values(Settings())[name]
    known = [] if default in (None, [], {}) or isinstance(default, bool) else [f"default: {default}"]
    extra = "; ".join([*known, *limits])
    return f"{field.description} [{extra}]" if extra else f"{field.description}"
