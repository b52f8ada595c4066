"""A clean stop in a worker of gunicorn's: not ready first, then nobody new, then everybody who is there.

gunicorn answers what it has accepted. But the listening socket stays open until its workers are done, and whom the
system lets in meanwhile is reset at the end, requests and all.
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

from .refuse import LET_IN_SECONDS, refuse_new

# Seconds in which the master has closed the listening socket, if everything is to stop and not this worker alone.
_MASTER_SECONDS = 1.0
# Seconds without anybody in the socket's queue after which it is taken for empty.
_EMPTY_SECONDS = 0.05
_OPEN_FILES = "/proc/{pid}/fd"


def stop_gunicorn_cleanly(app: Any) -> None:
    """Have gunicorn's worker stop in order, if this is one and loads ``app`` now; anywhere else nothing happens.

    Before gunicorn forks (``preload_app``) there is no worker yet: then ``serving.gunicorn_conf`` does it.
    """
    base: Any = sys.modules.get("gunicorn.workers.base")
    if base is None or threading.current_thread() is not threading.main_thread():
        return
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(worker, base.Worker):
        stop_in_order(worker, app)


def stop_in_order(worker: Any, app: Any) -> None:
    """From now on SIGTERM ends the worker, which answers for ``app``, in this order."""

    def begin(signum: int, frame: object) -> None:
        # systemd tells every process of a unit, and gunicorn's master tells its workers again.
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
        time.sleep(LET_IN_SECONDS)
        _wait_until_empty(worker)
    worker.handle_exit(signal.SIGTERM, None)
    os.write(worker.PIPE[1], b".")  # the worker wakes up, as at a signal


def _everything_stops(worker: Any) -> bool:
    """Whether the listening sockets are the workers' alone by now.

    With a reload, or one worker fewer, the master keeps them for other workers: they must stay open to the world, and
    nobody in their queue is lost. Where there is no /proc to look at, they are taken for kept.
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
    """Wait until whoever the system has let in is accepted, at most as long as gunicorn lets a worker live."""
    until = time.monotonic() + worker.cfg.graceful_timeout
    while select.select(worker.sockets, [], [], 0)[0] and time.monotonic() < until:
        time.sleep(_EMPTY_SECONDS)
