"""docs/deploy/configuration.md out of the schema of the settings: ``python -m tests.docs.configuration`` writes it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from pydantic.fields import FieldInfo

from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import is_secret, option, shown, variable

PAGE = Path(__file__).parents[2] / "docs" / "deploy" / "configuration.md"

# Defaults that depend on the machine, in words.
COMPUTED = {"threads": "twice the processors, at most 8"}
# What Markdown or HTML would take for its own.
MARKUP = re.compile(r"([*<|])")

HEAD = """\
# Configuration

<!-- Written by python -m tests.docs.configuration; do not edit. -->

Every setting has one name, and three places where it can stand. The later one wins:

1. the file `wsgi-core.toml` in the current folder, or the one that `--config` or `WSGI_CORE_CONFIG` names
2. the environment: `WSGI_CORE_PORT` for `port`; a list is written `a,b`, a table `a=1,b=2`
3. the command's option: `--port`

A file may look like this:

```toml
host = "0.0.0.0"
threads = 8
log_format = "json"
cors_origins = ["https://app.example.org"]
```

What does not fit is an error when the server starts, all of it at once, and for a misspelt name the nearest one is
named. `wsgi-core config` shows what holds and where each value comes from:

```console
$ wsgi-core config --threads 8 --json
...
    "threads": {
      "value": 8,
      "source": "--threads"
    },
...
```

Secrets have no option, since other users of the machine can read a command line; where they are shown they are masked.

## Every setting

| setting | what it is | default, range |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(row(name, field) for name, field in Settings.model_fields.items())


def row(name: str, field: FieldInfo) -> str:
    """A setting's line of the table."""
    names = [f"**{name}**", *([] if is_secret(name) else [f"`{flag(name, field)}`"]), f"`{variable(name)}`"]
    values = "<br>".join(filter(None, [default(name), span(field)]))
    extra = field.json_schema_extra
    answer = extra.get("answer") if isinstance(extra, dict) else None
    meaning = MARKUP.sub(r"\\\1", f"{field.description}{f' Otherwise: {answer}.' if answer else ''}")
    return f"| {'<br>'.join(names)} | {meaning} | {values} |\n"


def flag(name: str, field: FieldInfo) -> str:
    """How the option is written."""
    return f"{option(name)}`, `--no-{option(name)[2:]}" if field.annotation is bool else option(name)


def default(name: str) -> str:
    """The default in words."""
    value = shown(Settings())[name]
    if name in COMPUTED:
        return COMPUTED[name]
    if value in (None, [], {}):
        return "none"
    if isinstance(value, bool):
        value = "on" if value else "off"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def span(field: FieldInfo) -> str:
    """What values are allowed, where the type does not say it all."""
    if t.get_origin(field.annotation) is t.Literal:
        return " or ".join(f"`{value}`" for value in t.get_args(field.annotation))
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if "ge" in limits and "le" in limits:
        return f"{limits['ge']} to {limits['le']}"
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    return ", ".join(f"{words[key]} {limit}" for key, limit in limits.items())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
