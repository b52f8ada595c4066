"""Support for gunicorn: workers shut down gracefully, and the values of exited workers leave the Prometheus gauges.

When gunicorn stops without this module, the kernel resets the connections that no worker has accepted. With this
module, a worker that gets SIGTERM does not stop at once. If it serves the inference service of this project, it first
makes the readiness check fail, and waits for `stop_pause` seconds. If all workers stop, the worker then makes the
listening sockets refuse new connections, and answers the requests in the backlog. A worker finds out from the master's
open files in /proc whether all workers stop. If /proc cannot be read, for example on macOS, the worker leaves the
sockets unchanged.

This module is also a configuration file: ``gunicorn -c python:wsgi_core.shared.gunicorn --preload "mine:app"``. Your
own configuration file can import its hooks, `post_worker_init` and `child_exit`. Without these hooks, your own
application does not shut down gracefully, and the inference service does so only without --preload.
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
from .observability.logs import log_level, log_to_stderr
from .observability.metrics import forget_process

# Seconds to wait for the master to close the listening sockets. It closes them if all workers stop.
_MASTER_SECONDS = 1.0
# Seconds between two checks whether the backlog is empty.
_EMPTY_SECONDS = 0.05
_OPEN_FILES = "/proc/{pid}/fd"


def stop_gunicorn_cleanly(app: Any) -> None:
    """Install the graceful shutdown if this process is a gunicorn worker that is loading `app`. Otherwise do nothing.

    If gunicorn preloads the application, use the hook `post_worker_init` instead.
    """
    base: Any = sys.modules.get("gunicorn.workers.base")
    if base is None or threading.current_thread() is not threading.main_thread():
        return
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(worker, base.Worker):
        handle_sigterm(worker, app)


def post_worker_init(worker: Any) -> None:
    """Install the graceful shutdown. If the application is the service, also configure the log.

    gunicorn calls this hook in each new worker.
    """
    settings = getattr(worker.wsgi, "extensions", {}).get("settings")
    if settings is not None:
        log_to_stderr(log_level(settings.access_log), settings.log_format)
    handle_sigterm(worker, worker.wsgi)


def child_exit(server: Any, worker: Any) -> None:
    """Remove the values of an exited worker from the Prometheus gauges. gunicorn's master calls this hook."""
    forget_process(worker.pid)


def handle_sigterm(worker: Any, app: Any) -> None:
    """Make `worker`, which serves `app`, shut down gracefully on SIGTERM.

    If `app` is the service, its readiness check fails at once, and the shutdown waits for `stop_pause` seconds. If all
    workers stop, the worker then refuses new connections, and waits until the backlog is empty, but at most for
    gunicorn's `graceful_timeout`. Then the worker stops.
    """

    def begin(signum: int, frame: object) -> None:
        # A worker may get SIGTERM twice: systemd signals each process of a unit, and gunicorn's master its workers.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        extensions = getattr(app, "extensions", {})
        if "readiness" in extensions:
            extensions["readiness"].stop()
        pause = extensions["settings"].stop_pause if "settings" in extensions else 0.0
        threading.Thread(target=_end, args=(worker, pause), name="stop", daemon=True).start()

    signal.signal(signal.SIGTERM, begin)


def _end(worker: Any, pause: float) -> None:
    time.sleep(pause)
    if _master_stops(worker):
        for listener in worker.sockets:
            refuse_new(listener)
        time.sleep(BACKLOG_GRACE_SECONDS)
        _wait_until_empty(worker)
    worker.handle_exit(signal.SIGTERM, None)
    os.write(worker.PIPE[1], b".")  # wakes the worker, as a signal does


def _master_stops(worker: Any) -> bool:
    """Return whether the master closes the listening sockets within `_MASTER_SECONDS`, because all workers stop.

    If only this worker stops, for example at a reload, the master keeps the sockets open for other workers. If the
    master's open files cannot be read from /proc, return False.
    """
    until = time.monotonic() + _MASTER_SECONDS
    while (listens := _master_listens(worker)) and time.monotonic() < until:
        time.sleep(0.01)
    return not listens


def _master_listens(worker: Any) -> bool:
    own_sockets = {f"socket:[{os.fstat(listener.fileno()).st_ino}]" for listener in worker.sockets}
    try:
        return any(_target(file) in own_sockets for file in Path(_OPEN_FILES.format(pid=worker.ppid)).iterdir())
    except OSError:
        return True


def _target(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:  # the master has closed the file since it was listed
        return ""


def _wait_until_empty(worker: Any) -> None:
    """Wait until the backlog is empty, but at most for gunicorn's `graceful_timeout`."""
    until = time.monotonic() + worker.cfg.graceful_timeout
    while select.select(worker.sockets, [], [], 0)[0] and time.monotonic() < until:
        time.sleep(_EMPTY_SECONDS)
