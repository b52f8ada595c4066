"""Serving with waitress: one command, one clear line for each thing that can go wrong at the start."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import typing as t

import click

from .inference import ModelError

if t.TYPE_CHECKING:
    from types import FrameType

    from _typeshed.wsgi import WSGIApplication

EXIT_PORT = 2
EXIT_MODEL = 3

# The import name of the service's module on each framework. By name: the core never imports Flask.
SERVICES = {"wsgi_core": "wsgi_core.service", "flask": "flask_equiv.service"}


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


def load_service(framework: str, models: str | None) -> t.Any:
    """The service on ``framework``, a key of `SERVICES`. Raises ModelError, ImportError without Flask."""
    return importlib.import_module(SERVICES[framework]).create_app(models)


def run(app: WSGIApplication, sock: socket.socket, threads: int) -> None:
    """Serve ``app`` on a bound socket until SIGINT or SIGTERM."""
    from waitress.server import create_server

    # It warns whenever all threads are busy, which is no fault and reads like one.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, _stop)
    create_server(app, sockets=[sock], threads=threads).run()


def _stop(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


@click.command("serve", short_help="Serve the models with waitress.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option(
    "--threads", default=min(8, (os.cpu_count() or 1) * 2), show_default=True, type=click.IntRange(1, 256),
    help="Requests answered at the same time.",
)  # fmt: skip
@click.option("--models", metavar="DIR", help="A model repository. [default: the models of wsgi_core]")
@click.option(
    "--framework", default="wsgi_core", show_default=True, type=click.Choice(list(SERVICES)),
    help="Whose lifecycle the requests pass through; the answers are the same.",
)  # fmt: skip
@click.option("--access-log/--no-access-log", default=False, help="A line per request on stderr.")
def serve_command(host: str, port: int, threads: int, models: str | None, framework: str, access_log: bool) -> None:
    """Serve the models over HTTP with waitress.

    Exit code 2: the address can't be listened on; 3: a model can't be loaded.
    """
    _log_to_stderr(logging.INFO if access_log else logging.WARNING)
    try:
        sock = bind(host, port)
    except (OSError, UnicodeError) as e:  # UnicodeError: a name that cannot be one, such as "a..b"
        reason = getattr(e, "strerror", None) or e
        _fail(f"cannot listen on {host}:{port}: {reason}. Choose another --port or --host.", EXIT_PORT)
    try:
        app = load_service(framework, models)
    except ModelError as e:
        _fail(str(e), EXIT_MODEL)
    except ModuleNotFoundError as e:
        if e.name != "flask":
            raise
        _fail("the Flask twin needs Flask: pip install 'wsgi_core[flask]'", 1)
    shown = f"[{host}]" if ":" in host else host
    names = ", ".join(model.id for model in app.extensions["models"].models)
    click.echo(f"Serving on http://{shown}:{sock.getsockname()[1]} (Ctrl-C stops)")
    click.echo(f"  framework {framework}, models {names}, {threads} threads")
    sys.stdout.flush()
    run(app, sock, threads)


def _fail(message: str, code: int) -> t.NoReturn:
    click.secho(f"Error: {message}", err=True, fg="red")
    sys.exit(code)
