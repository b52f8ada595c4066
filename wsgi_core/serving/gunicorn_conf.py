"""A clean stop for gunicorn: ``gunicorn -c python:wsgi_core.serving.gunicorn_conf "wsgi_core.service:create_app()"``.

gunicorn answers what it has accepted. But its workers keep the listening socket open until they are done, and whom the
system lets in meanwhile is reset at the end, requests and all. Here readiness goes first, for as long as `stop_pause`
says, then nobody is let in any more, and then the worker stops as it always does.
"""

from __future__ import annotations

import signal
import threading
import typing as t

from .refuse import refuse_new
from .server import LET_IN_SECONDS


def post_worker_init(worker: t.Any) -> None:
    """gunicorn calls this in each worker, once the application is loaded."""

    def begin(signum: int, frame: object) -> None:
        # systemd tells every process of a unit, and gunicorn's master tells its workers again.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        extensions = getattr(worker.wsgi, "extensions", {})
        if "readiness" in extensions:
            extensions["readiness"].stop()
        pause = extensions["settings"].stop_pause if "settings" in extensions else 0.0
        _later(pause, refuse)

    def refuse() -> None:
        for listener in worker.sockets:
            refuse_new(listener)
        _later(LET_IN_SECONDS, lambda: worker.handle_exit(signal.SIGTERM, None))

    signal.signal(signal.SIGTERM, begin)


def _later(seconds: float, what: t.Callable[[], None]) -> None:
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    timer.start()
