"""Run under gunicorn: shut a worker down gracefully, and configure logs and metrics.

gunicorn answers the requests that it has accepted. But the listening socket stays open until its workers are done, and
the kernel resets the connections that it completes meanwhile. So a worker first fails its readiness check, then
closes the listening socket to new connections, and then drains the connections that the kernel has completed.

This module is also a configuration: ``gunicorn -c python:wsgi_core.shared.gunicorn --preload "mine:app"``. The service
installs the shutdown by itself if its worker loads it. Another application needs the configuration, and so does the
service if gunicorn's master loads it (``preload_app``). A configuration file can import the two hooks,
`post_worker_init` and `child_exit`, under gunicorn's names for them.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .listen_queue import BACKLOG_GRACE_SECONDS, refuse_new
from .observability.logs import log_to_stderr, wanted_level
from .observability.metrics import forget_process

# Seconds in which the master has closed the listening socket, if everything is to stop and not this worker alone.
_MASTER_SECONDS = 1.0
# Seconds without a connection in the socket's queue after which the queue counts as empty.
_EMPTY_SECONDS = 0.05
_OPEN_FILES = "/proc/{pid}/fd"


def stop_gunicorn_cleanly(app: Any) -> None:
    """Install the graceful shutdown if this process is a gunicorn worker that loads ``app`` now; else do nothing.

    Before gunicorn forks (``preload_app``) there is no worker yet: then `post_worker_init` installs it.
    """
    base: Any = sys.modules.get("gunicorn.workers.base")
    if base is None or threading.current_thread() is not threading.main_thread():
        return
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(worker, base.Worker):
        stop_in_order(worker, app)


def post_worker_init(worker: Any) -> None:
    """Configure the service's log and the graceful shutdown of a worker that has just loaded its application."""
    settings = getattr(worker.wsgi, "extensions", {}).get("settings")
    if settings is not None:
        log_to_stderr(wanted_level(settings.access_log), settings.log_format)
    stop_in_order(worker, worker.wsgi)


def child_exit(server: Any, worker: Any) -> None:
    """Remove an ended worker's requests from the gauge of active requests."""
    forget_process(worker.pid)


def stop_in_order(worker: Any, app: Any) -> None:
    """Handle SIGTERM in the worker of ``app``: fail readiness, close the listening socket, drain, exit."""

    def begin(signum: int, frame: object) -> None:
        # systemd signals every process of a unit, and gunicorn's master signals its workers again.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        extensions = getattr(app, "extensions", {})
        if "readiness" in extensions:
            extensions["readiness"].stop()
        pause = extensions["settings"].stop_pause if "settings" in extensions else 0.0
        threading.Thread(target=_end, args=(worker, pause), name="stop", daemon=True).start()

    signal.signal(signal.SIGTERM, begin)


def _end(worker: Any, pause: float) -> None:
    time.sleep(pause)
    if _everything_stops(worker):
        for listener in worker.sockets:
            refuse_new(listener)
        time.sleep(BACKLOG_GRACE_SECONDS)
        _wait_until_empty(worker)
    worker.handle_exit(signal.SIGTERM, None)
    os.write(worker.PIPE[1], b".")  # the worker wakes up, as at a signal


def _everything_stops(worker: Any) -> bool:
    """Return whether the master has closed the listening sockets, that is, whether all workers stop.

    On a reload, or with one worker fewer, the master keeps the sockets for other workers. They must stay open then, and
    no connection in their queue is lost. Where there is no /proc to look at, the sockets count as kept.
    """
    until = time.monotonic() + _MASTER_SECONDS
    while (kept := _master_keeps(worker)) and time.monotonic() < until:
        time.sleep(0.01)
    return not kept


def _master_keeps(worker: Any) -> bool:
    ours = {f"socket:[{os.fstat(listener.fileno()).st_ino}]" for listener in worker.sockets}
    try:
        return any(_target(file) in ours for file in Path(_OPEN_FILES.format(pid=worker.ppid)).iterdir())
    except OSError:
        return True


def _target(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:  # closed just now
        return ""


def _wait_until_empty(worker: Any) -> None:
    """Wait until every connection that the kernel has completed is accepted, at most ``graceful_timeout`` seconds."""
    until = time.monotonic() + worker.cfg.graceful_timeout
    while select.select(worker.sockets, [], [], 0)[0] and time.monotonic() < until:
        time.sleep(_EMPTY_SECONDS)
