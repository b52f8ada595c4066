"""Serve an application: ``python child.py loadtests.load.serve_app MODULE:APP [--server NAME] [--port N]``.

One process handles all requests, without an access log. ``--threads`` applies to waitress and granian. Except for the
log level, the other settings are the server's defaults.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from loadtests.instrument.app_loader import AppError, is_asgi, load_app, load_function


def _waitress(load: Callable[[], Any], host: str, port: int, threads: int) -> None:
    import waitress

    waitress.serve(load(), host=host, port=port, threads=threads)


def _werkzeug(load: Callable[[], Any], host: str, port: int, threads: int) -> None:
    """Serve with a new thread for each connection. ``threads`` is ignored."""
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple(host, port, load(), threaded=True)


def _uvicorn(load: Callable[[], Any], host: str, port: int, threads: int) -> None:
    """Serve in one thread, which runs the event loop. ``threads`` is ignored."""
    import uvicorn

    uvicorn.run(load(), host=host, port=port, log_level="error", access_log=False)


def _granian(load: Callable[[], Any], host: str, port: int, threads: int) -> None:
    """Serve in a worker process, which granian starts. The worker loads the application."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    server = Granian("", host, port, interface=Interfaces.WSGI, blocking_threads=threads, log_level=LogLevels.error)
    server.serve(target_loader=load, wrap_loader=False)


SERVERS = {"waitress": _waitress, "werkzeug": _werkzeug, "uvicorn": _uvicorn, "granian": _granian}


@click.command()
@click.argument("target", metavar="MODULE:APP")
@click.option("--server", type=click.Choice(list(SERVERS)), default="waitress")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--threads", default=4, show_default=True)
@click.option(
    "--setup", default="", metavar="MODULE:FUNCTION", help="A function to call before the application is loaded."
)
def main(target: str, server: str, host: str, port: int, threads: int, setup: str) -> None:
    """Serve MODULE:APP, or the application that MODULE:FACTORY(...) returns."""
    try:
        SERVERS[server](partial(load, target, server, setup), host, port, threads)
    except AppError as error:
        raise click.ClickException(str(error)) from error


def load(target: str, server: str, setup: str) -> Any:
    """Call the function ``setup``, unless it is empty, and return the application ``target``.

    Raises ``AppError`` if a name does not exist or is not valid, or if ``server`` cannot serve the application.
    Exceptions of the user's own code are raised unchanged, except those that ``load_function`` converts.
    """
    load_function(setup)()
    app = load_app(target)
    if is_asgi(app) is not (server == "uvicorn"):
        raise AppError(f"{target} is {'ASGI' if is_asgi(app) else 'WSGI'}: {server} cannot serve it")
    return app


if __name__ == "__main__":
    main()
