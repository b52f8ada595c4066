"""An app's logger: named after it, and with a handler of its own only where nobody set one up."""

from __future__ import annotations

import logging
import sys
import typing as t

from werkzeug.local import LocalProxy

from .context import _cv_request

if t.TYPE_CHECKING:
    from .app import App


@LocalProxy
def wsgi_errors_stream() -> t.TextIO:
    """Return where errors go: the server's stream during a request, stderr otherwise."""
    ctx = _cv_request.get(None)
    return sys.stderr if ctx is None else t.cast(t.TextIO, ctx.request.environ["wsgi.errors"])


def has_level_handler(logger: logging.Logger) -> bool:
    """Return whether a handler on the way up from ``logger`` takes what the logger lets through."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


default_handler = logging.StreamHandler(t.cast(t.TextIO, wsgi_errors_stream))
default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))


def create_logger(app: App) -> logging.Logger:
    """Return the app's logger, at DEBUG in debug mode. Mirrors flask 3.1.3 logging.py: create_logger."""
    logger = logging.getLogger(app.name)
    if app.debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
