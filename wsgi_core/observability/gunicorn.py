"""Two hooks that a configuration of gunicorn takes over by importing them, under gunicorn's names for them."""

from __future__ import annotations

from typing import Any

from ..settings.sources import load_settings
from .logs import log_to_stderr, wanted_level
from .metrics import forget_process


def post_worker_init(worker: Any) -> None:
    """A worker writes the service's log, as the settings of the environment want it."""
    settings = load_settings().settings
    log_to_stderr(wanted_level(settings.access_log), settings.log_format)


def child_exit(server: Any, worker: Any) -> None:
    """A worker has ended: what it was answering then is no longer answered."""
    forget_process(worker.pid)
