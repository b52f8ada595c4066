"""Settings as environment variables, for a server that another program starts."""

from __future__ import annotations

import json

from .sources import PREFIX, Loaded, is_secret, masked_values, variable


class SecretGiven(ValueError):
    """Raised if one of the environment variables would contain a secret."""


def as_variables(loaded: Loaded, has_files: bool = True) -> dict[str, str]:
    """Return environment variables with which a server gets the loaded settings.

    If `has_files` is true, the server can read the settings file. Then the variables contain only the path of the file
    and the settings from command-line options. Otherwise the variables contain all settings that were given. Raises
    SecretGiven if a variable would contain a secret, because callers write the variables to a file.
    """
    values = masked_values(loaded.settings)
    variables = {}
    for name, source in loaded.sources.items():
        if source.startswith("--") or not has_files:
            if is_secret(name):
                raise SecretGiven(
                    f"{name} is a secret, which must not be written to a file; set it in the environment of the server"
                )
            variables[variable(name)] = _text(values[name])
    if loaded.file and has_files:
        variables[PREFIX + "CONFIG"] = str(loaded.file.absolute())
    return variables


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
