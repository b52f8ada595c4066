"""``wsgi-core`` and ``python -m wsgi_core``: the commands for any app, and those of this project.

The measurement comes in as a plugin, through the entry point group ``wsgi_core.commands``: nothing here
imports it.
"""

from __future__ import annotations

import click

from .cli import FlaskGroup, ScriptInfo
from .models_cli import models_command
from .server import serve_command
from .trace.command import trace_command


class MainGroup(FlaskGroup):
    """The main group: `serve` and its like need no app, so that none is looked for unless one is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The app's own commands too, if an app is named."""
        if ctx.ensure_object(ScriptInfo).app_import_path:
            return super().list_commands(ctx)
        self._load_plugin_commands()
        return sorted(self.commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Its own commands first: they need no plugin, whose import would only delay the start."""
        return self.commands.get(name) or super().get_command(ctx, name)


cli = MainGroup(
    name="wsgi-core",
    help="Serve ONNX models, look into a request, measure what a framework costs.\n\nrun, shell and routes are for"
    " any application on wsgi_core, which --app names, or FLASK_APP, or a wsgi.py or app.py in this folder.",
    commands={"models": models_command, "serve": serve_command, "trace": trace_command},
)


def main() -> None:
    """Run the command line."""
    cli.main(prog_name="wsgi-core")


if __name__ == "__main__":
    main()
