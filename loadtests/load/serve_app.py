"""Serve an application: ``python child.py loadtests.load.serve_app MODULE:APP [--server NAME] [--port N]``.

It serves rungs and the user's own applications on waitress, Werkzeug's server or uvicorn. (gunicorn and ``wsgi-core
serve`` are started by their own commands.) A server runs in one process, without an access log. Its other settings are
the defaults, except that waitress gets the number of threads, and Werkzeug's server uses threads.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from loadtests.instrument.app_loader import AppError, is_asgi, load_app, load_function


@click.command()
@click.argument("target", metavar="MODULE:APP")
@click.option("--server", type=click.Choice(["waitress", "werkzeug", "uvicorn"]), default="waitress")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--threads", default=4, show_default=True)
@click.option(
    "--setup", default="", metavar="MODULE:FUNCTION", help="A function to call before the application is loaded."
)
def main(target: str, server: str, host: str, port: int, threads: int, setup: str) -> None:
    """Serve MODULE:APP, or the application that MODULE:FACTORY(...) returns."""
    serve = {"waitress": _waitress, "werkzeug": _werkzeug, "uvicorn": _uvicorn}[server]
    try:
        load_function(setup)()
        app = load_app(target)
    except AppError as error:
        raise click.ClickException(str(error)) from error
    if is_asgi(app) is not (server == "uvicorn"):
        raise click.ClickException(f"{target} is {'ASGI' if is_asgi(app) else 'WSGI'}: {server} cannot serve it")
    serve(app, host, port, threads)


def _waitress(app: Any, host: str, port: int, threads: int) -> None:
    import waitress

    waitress.serve(app, host=host, port=port, threads=threads)


def _werkzeug(app: Any, host: str, port: int, threads: int) -> None:
    """Serve with a new thread for each connection. ``threads`` is ignored."""
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple(host, port, app, threaded=True)


def _uvicorn(app: Any, host: str, port: int, threads: int) -> None:
    """Serve in one thread, which runs the event loop. ``threads`` is ignored."""
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
