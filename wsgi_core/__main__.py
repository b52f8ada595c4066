"""``wsgi-core`` and ``python -m wsgi_core``: the commands for any app, and those of this project.

The measurement comes in as a plugin, through the entry point group ``wsgi_core.commands``: nothing here
imports it.
"""

from __future__ import annotations

from importlib import import_module

import click

from .cli import FlaskGroup, ScriptInfo

# Imported when called, so that no command waits for what another one needs.
COMMANDS = {
    "config": "commands.config:config_command",
    "deploy": "commands.deploy.command:deploy_command",
    "jobs": "commands.jobs:jobs_command",
    "learn": "commands.learn.command:learn_command",
    "models": "commands.models:models_command",
    "serve": "serving.command:serve_command",
    "service": "commands.windows.command:service_command",
    "trace": "trace.command:trace_command",
}


class MainGroup(FlaskGroup):
    """The main group: `serve` and its like need no app, so that none is looked for unless one is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the app's own commands too, if an app is named."""
        if ctx.ensure_object(ScriptInfo).app_import_path:
            return sorted({*COMMANDS, *super().list_commands(ctx)})
        self._load_plugin_commands()
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command, its own before those of plugins, whose import would delay the start."""
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name].partition(":")
            command: click.Command = getattr(import_module(f"wsgi_core.{module}"), attribute)
            return command
        return self.commands.get(name) or super().get_command(ctx, name)


cli = MainGroup(
    name="wsgi-core",
    help="Serve ONNX models, look into a request, measure what a framework costs.\n\nrun, shell and routes are for"
    " any application on wsgi_core, which --app names, or FLASK_APP, or a wsgi.py or app.py in this folder.",
)


def main() -> None:
    """Run the command line."""
    cli.main(prog_name="wsgi-core")


if __name__ == "__main__":
    main()
