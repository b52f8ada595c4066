"""Run under gunicorn: shut a worker down gracefully, and configure logs and metrics.

When gunicorn stops without this module, its workers answer only the requests of connections that they have accepted.
The listening socket stays open until the workers exit, and the kernel keeps completing handshakes for new connections.
When the socket closes, the kernel resets the connections that no worker has accepted.

With this module, a worker that gets SIGTERM stops in steps. If the application is this project's service, the worker
first reports that it is not ready, and waits for `stop_pause` seconds. If all workers stop, the worker then makes the
listening socket refuse new connections, and answers the requests of the connections in the backlog. On a system without
/proc, such as macOS, a worker cannot find out whether all workers stop, and leaves the listening socket unchanged.

This module is also a gunicorn configuration: ``gunicorn -c python:wsgi_core.shared.gunicorn --preload "mine:app"``. It
installs the graceful shutdown in each worker, and configures the service's log. When a worker exits, the configuration
removes the worker's values from the gauges, such as the gauge of active requests. Without this configuration, only the
service gets the graceful shutdown, because its ``create_app`` installs it. With ``preload_app``, even the service needs
this configuration. Your own configuration file can import the two hooks, `post_worker_init` and `child_exit`, which
have the names that gunicorn expects.
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

# Seconds to wait for the master to close the listening sockets, which it does if all workers stop.
_MASTER_SECONDS = 1.0
# Seconds between two checks whether the backlog is empty.
_EMPTY_SECONDS = 0.05
_OPEN_FILES = "/proc/{pid}/fd"


def stop_gunicorn_cleanly(app: Any) -> None:
    """Install the graceful shutdown if this process is a gunicorn worker that is loading ``app``. Otherwise do nothing.

    With ``preload_app``, the master loads the application before it forks the workers. Then this function does nothing,
    and gunicorn's configuration needs the hook `post_worker_init`.
    """
    base: Any = sys.modules.get("gunicorn.workers.base")
    if base is None or threading.current_thread() is not threading.main_thread():
        return
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(worker, base.Worker):
        handle_sigterm(worker, app)


def post_worker_init(worker: Any) -> None:
    """Install the graceful shutdown, and configure the log if the application is the service.

    gunicorn calls this function in each new worker.
    """
    settings = getattr(worker.wsgi, "extensions", {}).get("settings")
    if settings is not None:
        log_to_stderr(log_level(settings.access_log), settings.log_format)
    handle_sigterm(worker, worker.wsgi)


def child_exit(server: Any, worker: Any) -> None:
    """Remove an exited worker's values from the shared gauges. gunicorn's master calls this function."""
    forget_process(worker.pid)


def handle_sigterm(worker: Any, app: Any) -> None:
    """Install a handler of SIGTERM, which shuts the worker of ``app`` down gracefully.

    If ``app`` is the service, the handler makes the readiness check fail, and a thread waits for `stop_pause` seconds.
    Otherwise the thread does not wait. If all workers stop, the thread makes the listening sockets refuse new
    connections, and waits until the backlog is empty, but at most ``graceful_timeout`` seconds. Then the thread stops
    the worker.
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
    """Return whether the master closes the listening sockets, which means that all workers stop.

    Wait at most `_MASTER_SECONDS` for the master. Return False on a system without /proc. If gunicorn reloads the
    application or reduces the number of workers, the master keeps the sockets open, and other workers accept the
    connections in the backlog. Then this worker must not make the sockets refuse connections.
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
    """Wait until the backlog is empty, but at most ``graceful_timeout`` seconds."""
    until = time.monotonic() + worker.cfg.graceful_timeout
    while select.select(worker.sockets, [], [], 0)[0] and time.monotonic() < until:
        time.sleep(_EMPTY_SECONDS)
