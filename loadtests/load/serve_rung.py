"""Serve one rung: ``python -m loadtests.load.serve_rung FACTORY [--server NAME] [--port N] [--threads N] [--model M]``.

The services have ``wsgi-core serve`` and gunicorn has a command of its own; this is for the rungs that are no
services. Every server runs as it comes, in one process, and without an access log.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from loadtests.instrument.driver import load


@click.command()
@click.argument("factory")
@click.option("--server", type=click.Choice(["waitress", "werkzeug", "uvicorn"]), default="waitress")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--threads", default=4, show_default=True)
@click.option("--model", default="churn", show_default=True)
def main(factory: str, server: str, host: str, port: int, threads: int, model: str) -> None:
    """Serve the application that FACTORY (module:name) makes."""
    app = load(factory, {"model": model})
    {"waitress": _waitress, "werkzeug": _werkzeug, "uvicorn": _uvicorn}[server](app, host, port, threads)


def _waitress(app: Any, host: str, port: int, threads: int) -> None:
    import waitress

    waitress.serve(app, host=host, port=port, threads=threads)


def _werkzeug(app: Any, host: str, port: int, threads: int) -> None:
    """A thread for each connection, however many ``threads`` are asked for."""
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple(host, port, app, threaded=True)


def _uvicorn(app: Any, host: str, port: int, threads: int) -> None:
    """One thread, the application's own loop: ``threads`` are for functions that are not ``async``."""
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
