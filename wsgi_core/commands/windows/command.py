"""``wsgi-core service``: install, start, stop and remove the server as a Windows service."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import typing as t
from pathlib import Path

import click

from ...shared import installation
from ...shared.settings.options import settings_options
from ...shared.settings.sources import ConfigurationError, load_settings
from ...shared.settings.variables import as_variables
from . import manager
from .worker import stop_milliseconds

NAME = click.option("--name", default="wsgi-core", show_default=True, help="The name of the service.")


@click.group("service", short_help="Install, start and stop a Windows service.")
def service_command() -> None:
    """Install and control the server as a Windows service.

    The service starts with Windows, and is restarted if it fails. All commands need an administrator's command prompt.
    Exit code 1: the command failed, or `status` finds that the service is not running; 2: an option is invalid.
    """


@service_command.command("install")
@NAME
@click.option("--account", type=click.Choice(list(manager.ACCOUNTS)), default="LocalService", show_default=True,
              help="The account that runs the service. It must be able to read Python and the models.")  # fmt: skip
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="A log file. Warnings and errors are also in the event log.")  # fmt: skip
@settings_options
def install_command(name: str, account: str, log: Path | None, config: Path | None, **options: object) -> None:
    """Install the service.

    Every option of `wsgi-core serve` is also an option here. WSGI_CORE_* variables in the environment of this command
    are ignored.
    """
    windows = _windows()
    for path in ("models", "webhook_results", "job_store"):  # The service starts in another folder.
        if options[path] is not None:
            options[path] = os.path.abspath(str(options[path]))
    try:
        loaded = load_settings(options, config, {})
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    command = windows.command_line(name, str(log.absolute()) if log else "", as_variables(loaded))
    _do(windows.install, name, command, account, stop_milliseconds(loaded.settings))
    click.echo(f"Installed {name}. Next: wsgi-core service start{_named(name)}")


@service_command.command("start")
@NAME
def start_command(name: str) -> None:
    """Start the service, and wait until it accepts requests."""
    _do(_windows().start, name)
    click.echo(f"{name} is running.")


@service_command.command("stop")
@NAME
def stop_command(name: str) -> None:
    """Stop the service, and wait until it has stopped.

    The service first answers the accepted requests, for at most stop_timeout seconds.
    """
    _do(_windows().stop, name)
    click.echo(f"{name} has stopped.")


@service_command.command("status")
@NAME
def status_command(name: str) -> None:
    """Show whether the service is running. Exit code 1: it is not running, or its status cannot be read."""
    windows = _windows()
    found = _do(windows.status, name)
    process = f", process {found.process}" if found.process else ""
    click.echo(f"{name} is {found.state}{process}")
    click.echo(f"  {found.command}")
    if found.state == "stopped" and found.code:
        click.echo(f"  {windows.explained(found.code)}")
    if found.state != "running":
        raise click.exceptions.Exit(1)


@service_command.command("remove")
@NAME
def remove_command(name: str) -> None:
    """Stop the service if it is running, and remove it."""
    _do(_windows().remove, name)
    click.echo(f"Removed {name}.")


def _named(name: str) -> str:
    return "" if name == "wsgi-core" else f" --name {name}"


def _windows() -> types.ModuleType:
    """Return the module `manager`.

    Raises click.ClickException if the system is not Windows, or if pywin32 is not installed.
    """
    if sys.platform != "win32":
        raise click.ClickException("this command needs Windows; on Linux, use wsgi-core deploy systemd")
    if importlib.util.find_spec("win32service") is None:
        raise click.ClickException(f"the Windows service needs pywin32: {installation.install_command('windows')}")
    return manager


def _do(action: t.Callable[..., t.Any], *args: object) -> t.Any:
    try:
        return action(*args)
    except manager.ServiceError as error:
        raise click.ClickException(str(error)) from error
