"""Settings as variables of the environment: how they are handed to a server that somebody else starts."""

from __future__ import annotations

import json

from .sources import PREFIX, Loaded, is_secret, shown, variable


class SecretGiven(ValueError):
    """A secret would be written where others can read it; the text is for the user."""


def as_variables(loaded: Loaded, has_files: bool = True) -> dict[str, str]:
    """Return the options that were given, and the file's name, or without ``has_files`` what the file says.

    Raises SecretGiven.
    """
    values = shown(loaded.settings)
    variables = {}
    for name, source in loaded.sources.items():
        if source.startswith("--") or not has_files:
            if is_secret(name):
                raise SecretGiven(f"{name} is a secret: it belongs into no such file, but into the environment there")
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
