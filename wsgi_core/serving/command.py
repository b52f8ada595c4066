"""Serving with waitress: one command, one clear line for each thing that can go wrong at the start."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import typing as t
from pathlib import Path

import click

from ..inference import ModelError
from ..shared.observability.logs import log_to_stderr, wanted_level
from ..shared.settings import Settings
from ..shared.settings.addresses import bracketed
from ..shared.settings.options import load_for_command, settings_options
from ..shared.settings.schema import SERVICES
from . import Server
from .memory import keep_what_is_loaded
from .signals import stop_on_signals

EXIT_UNANSWERED = 1
EXIT_PORT = 2
EXIT_MODEL = 3


def bind(host: str, port: int) -> socket.socket:
    """A listening socket of this process alone; port 0: any free one. Raises OSError if it can't be had.

    On Windows waitress's own SO_REUSEADDR would let a second server take the port silently.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


def load_service(settings: Settings) -> t.Any:
    """The service on the framework that is set. Raises ModelError, ImportError without Flask."""
    return importlib.import_module(SERVICES[settings.framework]).create_app(settings=settings)


class StartError(Exception):
    """The server cannot start. The text is one line: what is wrong, and what to do; `code` is for the process's end."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def make_server(settings: Settings) -> Server:
    """A server that listens already and serves when it is run; `Server.stop` ends it, from any thread.

    Raises StartError.
    """
    host, port = settings.host, settings.port
    try:
        sock = bind(host, port)
    except (OSError, UnicodeError) as e:  # UnicodeError: a name that cannot be one, such as "a..b"
        reason = getattr(e, "strerror", None) or e
        message = f"cannot listen on {host}:{port}: {reason}. Choose another --port or --host."
        raise StartError(message, EXIT_PORT) from e
    try:
        server = Server(_load_or_refuse(settings), sock, settings)
    except BaseException:
        sock.close()
        raise
    keep_what_is_loaded()
    return server


def _load_or_refuse(settings: Settings) -> t.Any:
    try:
        return load_service(settings)
    except ModelError as e:
        raise StartError(str(e), EXIT_MODEL) from e
    except ModuleNotFoundError as e:
        if e.name != "flask":
            raise
        raise StartError("the Flask twin needs Flask: pip install 'wsgi_core[flask]'", 1) from e


@click.command("serve", short_help="Serve the models with waitress.")
@settings_options
def serve_command(config: Path | None, **options: object) -> None:
    """Serve the models over HTTP with waitress.

    A signal to stop, Ctrl-C among them, lets every request that is there be answered; a second one ends it at once.

    Exit code 1: it ended with requests unanswered; 2: the address can't be listened on, or a setting does not fit; 3: a
    model can't be loaded.
    """
    settings = load_for_command(config, options).settings
    log_to_stderr(wanted_level(settings.access_log), settings.log_format)
    try:
        server = make_server(settings)
    except StartError as error:
        click.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(error.code)
    with stop_on_signals(server):
        _announce(server, settings)
        everybody = server.run()
    if not everybody:
        # A thread may still be inside the runtime, from which the interpreter's orderly end could not take it.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(EXIT_UNANSWERED)


def _announce(server: Server, settings: Settings) -> None:
    models = server.app.extensions["models"]
    names = ", ".join([*(model.id for model in models.models), *(f"{name} (on demand)" for name in models.waiting)])
    click.echo(f"Serving on http://{bracketed(settings.host)}:{server.port} (Ctrl-C stops)")
    click.echo(f"  framework {settings.framework}, models {names}, {settings.threads} threads")
    sys.stdout.flush()
