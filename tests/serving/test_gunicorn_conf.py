"""Under gunicorn a worker is not ready, then lets nobody in, then stops."""

from __future__ import annotations

import signal
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from wsgi_core.server import bind
from wsgi_core.serving import gunicorn_conf
from wsgi_core.settings import Settings
from wsgi_core.shared.readiness import Readiness


@pytest.fixture
def worker() -> Any:
    """What the hook uses of a worker; `stopped` is set when it is told to stop."""
    sock = bind("127.0.0.1", 0)
    stopped = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    wsgi = SimpleNamespace(extensions={"readiness": Readiness(), "settings": Settings()})
    yield SimpleNamespace(sockets=[sock], wsgi=wsgi, stopped=stopped, handle_exit=lambda signum, frame: stopped.set())
    signal.signal(signal.SIGTERM, before)
    sock.close()


def test_a_signal_ends_readiness_and_then_the_worker(worker: Any):
    gunicorn_conf.post_worker_init(worker)
    assert worker.wsgi.extensions["readiness"].ready
    signal.raise_signal(signal.SIGTERM)
    assert not worker.wsgi.extensions["readiness"].ready
    assert worker.stopped.wait(20)
    signal.raise_signal(signal.SIGTERM)  # from the master, after systemd's


def test_who_has_come_in_before_can_be_accepted(worker: Any):
    gunicorn_conf.post_worker_init(worker)
    (listener,) = worker.sockets
    with socket.create_connection(listener.getsockname()) as client:
        signal.raise_signal(signal.SIGTERM)
        assert worker.stopped.wait(20)
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_another_application_is_stopped_too(worker: Any):
    worker.wsgi = lambda environ, start_response: []
    gunicorn_conf.post_worker_init(worker)
    signal.raise_signal(signal.SIGTERM)
    assert worker.stopped.wait(20)
