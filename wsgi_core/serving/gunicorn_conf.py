"""A clean stop for gunicorn: ``gunicorn -c python:wsgi_core.serving.gunicorn_conf --preload "mine:app"``.

The service sees to it by itself, as long as its worker loads it. Another application needs this, and so does the
service where gunicorn's master loads it (``preload_app``).
"""

from __future__ import annotations

import typing as t

from ..shared.gunicorn_stop import stop_in_order


def post_worker_init(worker: t.Any) -> None:
    """gunicorn calls this in each worker, once the application is loaded."""
    stop_in_order(worker, worker.wsgi)
