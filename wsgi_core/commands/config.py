"""``wsgi-core config``: show the settings that ``wsgi-core serve`` would use, and the source of each value."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..shared.settings.options import load_for_command, settings_options
from ..shared.settings.schema import Settings
from ..shared.settings.sources import Loaded, masked_values


@click.command("config", short_help="Show the settings and the source of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options
def config_command(config: Path | None, as_json: bool, **options: object) -> None:
    """Show the settings that `wsgi-core serve` would use, and their sources.

    Every option of `wsgi-core serve` is also an option here. An option overrides an environment variable, and an
    environment variable overrides the settings file. For example, --port overrides WSGI_CORE_PORT. Secrets are masked.
    """
    loaded = load_for_command(config, options)
    if as_json:
        click.echo(json.dumps(_as_json(loaded), indent=2))
    else:
        _print_table(loaded)


def _as_json(loaded: Loaded) -> dict[str, t.Any]:
    settings = {
        name: {"value": value, "source": loaded.source(name)} for name, value in masked_values(loaded.settings).items()
    }
    return {"file": str(loaded.file) if loaded.file else None, "settings": settings}


def _print_table(loaded: Loaded) -> None:
    table = Table(title=f"Settings ({loaded.file or 'no file'})", title_justify="left")
    for column in ("Setting", "Value", "From", "Description"):
        table.add_column(column, overflow="fold")
    for name, value in masked_values(loaded.settings).items():
        source = loaded.source(name)
        text = Text("" if value in (None, [], {}) else value if isinstance(value, str) else json.dumps(value))
        style = "dim" if source == "default" else ""
        table.add_row(name, text, Text(source), Text(Settings.model_fields[name].description or ""), style=style)
    Console().print(table)
