"""``wsgi-core config``: show the effective settings and the source of each."""

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
from ..shared.settings.sources import Loaded, shown


@click.command("config", short_help="Show the settings, and where each comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options
def config_command(config: Path | None, as_json: bool, **options: object) -> None:
    """Show which settings hold, and where each comes from.

    The options of this command are those of serve: an option wins over a variable of the environment
    (WSGI_CORE_PORT for --port), and that over the file.
    """
    loaded = load_for_command(config, options)
    if as_json:
        click.echo(json.dumps(_as_json(loaded), indent=2))
    else:
        _print_table(loaded)


def _as_json(loaded: Loaded) -> dict[str, t.Any]:
    settings = {name: {"value": value, "source": loaded.source(name)} for name, value in shown(loaded.settings).items()}
    return {"file": str(loaded.file) if loaded.file else None, "settings": settings}


def _print_table(loaded: Loaded) -> None:
    table = Table(title=f"Settings ({loaded.file or 'no file'})", title_justify="left")
    for column in ("Setting", "Value", "From", "What it is"):
        table.add_column(column, overflow="fold")
    for name, value in shown(loaded.settings).items():
        source = loaded.source(name)
        text = Text("" if value in (None, [], {}) else value if isinstance(value, str) else json.dumps(value))
        style = "dim" if source == "default" else ""
        table.add_row(name, text, Text(source), Text(Settings.model_fields[name].description or ""), style=style)
    Console().print(table)
