"""Write docs/deploy/configuration.md from the schema of the settings: ``python -m tests.docs.configuration``."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from pydantic.fields import FieldInfo

from tests.docs.limits import in_bytes, size
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import is_secret, masked_values, option, variable

PAGE = Path(__file__).parents[2] / "docs" / "deploy" / "configuration.md"

# The text for defaults that depend on the machine.
COMPUTED = {"threads": "the number of CPU cores, from 2 to 4"}
# Characters that Markdown or HTML would interpret.
MARKUP = re.compile(r"([*<|])")

HEAD = """\
# Configuration

<!-- Written by python -m tests.docs.configuration; do not edit. -->

Every setting has one name, and can be set in three places. A later place overrides an earlier one:

1. the file `wsgi-core.toml` in the current folder, or the file that `--config` or `WSGI_CORE_CONFIG` names
2. an environment variable: `WSGI_CORE_PORT` for `port`; a list is written `a,b`, a table `a=1,b=2`
3. a command-line option: `--port`

A file may look like this:

```toml
host = "0.0.0.0"
threads = 8
log_format = "json"
cors_origins = ["https://app.example.org"]
```

If a setting is not valid, the server does not start. The error lists every invalid setting, and suggests the nearest
name for a misspelt name. `wsgi-core config` shows the effective settings and the source of each setting:

```console
$ wsgi-core config --threads 8 --json
...
    "threads": {
      "value": 8,
      "source": "--threads"
    },
...
```

Secrets have no option, because other users of the machine can read a command line. Commands show secrets masked.

## Every setting

| setting | meaning | default, range |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(row(name, field) for name, field in Settings.model_fields.items())


def row(name: str, field: FieldInfo) -> str:
    """Return the row of a setting."""
    names = [f"**{name}**", *([] if is_secret(name) else [f"`{flag(name, field)}`"]), f"`{variable(name)}`"]
    values = "<br>".join(filter(None, [default(name), span(field)]))
    extra = field.json_schema_extra
    response = extra.get("response") if isinstance(extra, dict) else None
    case = {"Maximum": "Above the limit", "Minimum": "Below the limit"}.get(f"{field.description}"[:7], "Otherwise")
    meaning = MARKUP.sub(r"\\\1", f"{field.description}{f' {case}: {response}.' if response else ''}")
    return f"| {'<br>'.join(names)} | {meaning} | {values} |\n"


def flag(name: str, field: FieldInfo) -> str:
    """Return the option as it is written on the command line."""
    return f"{option(name)}`, `--no-{option(name)[2:]}" if field.annotation is bool else option(name)


def default(name: str) -> str:
    """Return the default as text."""
    value = masked_values(Settings())[name]
    if name in COMPUTED:
        return COMPUTED[name]
    if value in (None, [], {}):
        return "none"
    if isinstance(value, bool):
        value = "on" if value else "off"
    if in_bytes(Settings.model_fields[name]):
        return f"`{value}` ({size(value)})"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def span(field: FieldInfo) -> str:
    """Return the allowed values or range as text, or "" if the type alone limits the values."""
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
