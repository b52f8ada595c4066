"""Serve one rung with waitress: ``python -m loadtests.serve_rung FACTORY [--port N] [--threads N] [--model NAME]``.

The services have ``wsgi-core serve``; this is for the rungs that are no services.
"""

from __future__ import annotations

import click
import waitress

from loadtests.driver import load


@click.command()
@click.argument("factory")
@click.option("--port", default=8080, show_default=True)
@click.option("--threads", default=4, show_default=True)
@click.option("--model", default="churn", show_default=True)
def main(factory: str, port: int, threads: int, model: str) -> None:
    """Serve the application that FACTORY (module:name) makes, on 127.0.0.1."""
    waitress.serve(load(factory, {"model": model}), host="127.0.0.1", port=port, threads=threads)


if __name__ == "__main__":
    main()
