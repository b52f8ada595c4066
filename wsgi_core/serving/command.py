"""The `serve` command: binds the port, loads the application, and runs the server."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from ..cli import ScriptInfo
from ..shared.observability.logs import log_level, log_to_stderr
from ..shared.settings import Settings
from ..shared.settings.addresses import bracketed
from ..shared.settings.options import load_for_command, settings_options
from .application import StartError as StartError
from .application import describe, load_application
from .limits import freeze_gc
from .processes import Processes, process_count
from .protocols import RunningServer
from .server import serve_application
from .signals import stop_on_signals

EXIT_UNANSWERED = 1
EXIT_PORT = 2


def bind(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket. If `port` is 0, the system chooses a free port.

    Raises OSError if the address or the port is not available, and TypeError if `host` cannot be encoded (IDNA).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # With SO_REUSEADDR, Windows would let a second server bind the same address and port without an error.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except (OSError, TypeError):
        sock.close()
        raise
    return sock


def make_server(settings: Settings, log: str | None = None) -> RunningServer:
    """Return a server that already listens. The method `run` of the server serves until its method `stop` is called.

    `log` has an effect only with several server processes. If `log` is None, the server processes log to stderr. If
    `log` is an empty string, the server processes send warnings and errors to the calling process. If `log` is a file
    name, such as `server.log`, each server process also writes a numbered file, such as `server-1.log`.

    Raises StartError if the address is not available or the application cannot be loaded.
    """
    return _make_server(settings, log)[0]


def _make_server(settings: Settings, log: str | None = None) -> tuple[RunningServer, str]:
    """Return the server, and the description of its application for the start message."""
    socks = [_bind_or_refuse(settings.host, settings.port, "--port")]
    try:
        if settings.monitor_port is not None:
            socks.append(_bind_or_refuse(settings.host, settings.monitor_port, "--monitor-port"))
        if process_count(settings) > 1:
            processes = Processes(socks, settings, log)
            return processes, processes.about
        app = load_application(settings)
        server = serve_application(app, socks, settings)
    except BaseException:
        for sock in socks:
            sock.close()
        raise
    freeze_gc()
    return server, describe(app, settings)


def _bind_or_refuse(host: str, port: int, option: str) -> socket.socket:
    try:
        return bind(host, port)
    except (OSError, TypeError) as e:  # TypeError: the host name cannot be encoded, such as "ä..b"
        reason = getattr(e, "strerror", None) or e
        message = f"cannot listen on {host}:{port}: {reason}. Choose another {option} or --host."
        raise StartError(message, EXIT_PORT) from e


@click.command("serve", short_help="Serve the models, or any WSGI application.")
@settings_options
@click.pass_context
def serve_command(ctx: click.Context, /, config: Path | None, **options: object) -> None:
    """Serve the models over HTTP. With --app, serve a WSGI application instead.

    On Ctrl-C or SIGTERM, the server answers the accepted requests and then stops. This can take --stop-pause plus
    --stop-timeout seconds. A second Ctrl-C or SIGTERM stops the server at once.

    Exit code 1: the server stopped with requests unanswered, or another error occurred; 2: the server cannot listen on
    the address, or a setting is invalid; 3: a model or the application cannot be loaded.
    """
    if ctx.parent is not None and ctx.parent.get_parameter_source("app") is ParameterSource.COMMANDLINE:
        # wsgi-core --app module:app serve
        options["app"] = options["app"] or ctx.parent.ensure_object(ScriptInfo).app_import_path
    loaded = load_for_command(config, options)
    settings = loaded.settings
    log_to_stderr(log_level(settings.access_log), settings.log_format)
    try:
        server, about = _make_server(settings)
    except StartError as error:
        click.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(error.code)
    with stop_on_signals(server):
        _announce(server.port, about, settings)
        if loaded.file:
            click.echo(f"  settings from {loaded.file.absolute()}")
        complete = server.run()
    if not complete:
        # A thread may still be in the model runtime, and the interpreter's normal exit cannot interrupt it.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(EXIT_UNANSWERED)


def _announce(port: int, about: str, settings: Settings) -> None:
    processes = process_count(settings)
    workers = f"{settings.threads} threads" + (f" in each of {processes} processes" if processes > 1 else "")
    click.echo(f"Serving on http://{bracketed(settings.host)}:{port} (Ctrl-C stops)")
    click.echo(f"  {about}, {workers}")
    sys.stdout.flush()
