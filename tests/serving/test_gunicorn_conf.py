"""With this configuration any application's worker stops in order."""

from __future__ import annotations

import signal
import sys
from types import SimpleNamespace

import pytest

from wsgi_core.serving import gunicorn_conf
from wsgi_core.shared.readiness import Readiness

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


def test_a_worker_is_told_once_its_application_is_loaded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wsgi_core.shared.gunicorn_stop._end", lambda worker, pause: None)
    before = signal.getsignal(signal.SIGTERM)
    readiness = Readiness()
    try:
        gunicorn_conf.post_worker_init(SimpleNamespace(wsgi=SimpleNamespace(extensions={"readiness": readiness})))
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not readiness.ready
