"""Under gunicorn, a stopping worker first reports that it is not ready, then refuses connections, and then stops."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import types
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import Server
from wsgi_core.serving.command import bind
from wsgi_core.shared import gunicorn as module
from wsgi_core.shared.gunicorn import handle_sigterm, stop_gunicorn_cleanly
from wsgi_core.shared.readiness import Readiness
from wsgi_core.shared.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")

MODULES = ("wsgi_core.service", "flask_equiv.service")
PATIENCE = 20


class Worker:
    """A fake worker with the attributes that the module uses. `stopped` is set when the worker must stop."""

    def __init__(self, master: int) -> None:
        self.sockets = [bind("127.0.0.1", 0)]
        self.PIPE = os.pipe()
        self.ppid = master
        self.cfg = SimpleNamespace(graceful_timeout=PATIENCE)
        self.stopped = threading.Event()
        self.wsgi = SimpleNamespace(extensions={"readiness": Readiness(), "settings": Settings()})

    @property
    def address(self) -> Any:
        return self.sockets[0].getsockname()

    def handle_exit(self, signum: int, frame: object) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.sockets[0].close()
        for end in self.PIPE:
            os.close(end)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Worker]:
    """A worker whose master, process 1, has closed its sockets."""
    (tmp_path / "1").mkdir()
    monkeypatch.setattr(module, "_OPEN_FILES", f"{tmp_path}/{{pid}}")
    monkeypatch.setattr(module, "_MASTER_SECONDS", 0.05)
    before = signal.getsignal(signal.SIGTERM)
    made = Worker(1)
    yield made
    signal.signal(signal.SIGTERM, before)
    made.close()


def end(worker: Worker) -> None:
    """Wait until the worker has stopped. Check that it was woken through its pipe."""
    assert worker.stopped.wait(PATIENCE)
    assert os.read(worker.PIPE[0], 1) == b"."


def test_a_signal_ends_readiness_and_then_the_worker(worker: Worker):
    handle_sigterm(worker, worker.wsgi)
    assert worker.wsgi.extensions["readiness"].ready
    signal.raise_signal(signal.SIGTERM)
    assert not worker.wsgi.extensions["readiness"].ready
    signal.raise_signal(signal.SIGTERM)  # the signal of the master, after that of systemd
    end(worker)


def test_a_worker_does_not_stop_while_somebody_waits_to_be_accepted(worker: Worker):
    handle_sigterm(worker, worker.wsgi)
    with socket.create_connection(worker.address) as client:
        signal.raise_signal(signal.SIGTERM)
        assert not worker.stopped.wait(0.3)
        accepted, _ = worker.sockets[0].accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
        end(worker)


def test_another_application_is_stopped_too(worker: Worker):
    handle_sigterm(worker, lambda environ, start_response: [])
    signal.raise_signal(signal.SIGTERM)
    end(worker)


@pytest.mark.parametrize("master", ["itself", "nobody knows"])
def test_a_socket_that_the_master_keeps_stays_open_for_other_workers(
    worker: Worker, master: str, monkeypatch: pytest.MonkeyPatch
):
    """As during a reload: new workers share the socket, so connections must not be refused."""
    worker.ppid = os.getpid() if master == "itself" else 2
    if master == "itself":
        monkeypatch.setattr(module, "_OPEN_FILES", "/proc/{pid}/fd")
    handle_sigterm(worker, worker.wsgi)
    signal.raise_signal(signal.SIGTERM)
    end(worker)
    with socket.create_connection(worker.address, timeout=PATIENCE):
        worker.sockets[0].accept()[0].close()


def test_a_worker_that_loads_the_application_is_recognized(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    base: Any = types.ModuleType("gunicorn.workers.base")
    base.Worker = Worker
    monkeypatch.setitem(sys.modules, "gunicorn.workers.base", base)
    handler = worker.handle_exit
    signal.signal(signal.SIGTERM, handler)
    thread = threading.Thread(target=stop_gunicorn_cleanly, args=(worker.wsgi,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == handler
    stop_gunicorn_cleanly(worker.wsgi)
    signal.raise_signal(signal.SIGTERM)
    assert not worker.wsgi.extensions["readiness"].ready
    end(worker)


def test_elsewhere_nothing_is_touched(monkeypatch: pytest.MonkeyPatch):
    before = signal.getsignal(signal.SIGTERM)
    stop_gunicorn_cleanly(SimpleNamespace())
    monkeypatch.setitem(sys.modules, "gunicorn.workers.base", SimpleNamespace(Worker=Worker))
    stop_gunicorn_cleanly(SimpleNamespace())
    assert signal.getsignal(signal.SIGTERM) is before


def test_as_a_configuration_it_tells_each_worker_once_its_application_is_loaded(worker: Worker):
    module.post_worker_init(worker)
    signal.raise_signal(signal.SIGTERM)
    assert not worker.wsgi.extensions["readiness"].ready
    end(worker)


# With gunicorn itself


def gunicorn(module: str, home: Path, *options: str, **environ: str) -> Server:
    command = ("-m", "gunicorn", "--bind", "127.0.0.1:0", *options, f"{module}:create_app()")
    return Server(*command, HOME=str(home), **environ)  # Some versions of gunicorn create a control socket in HOME.


def status(connection: socket.socket) -> int:
    """Return the status of the next response."""
    with HTTPResponse(connection) as response:
        response.begin()
        response.read()
        return response.status


ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def ready(server: Server) -> None:
    """Wait until the worker responds. The master listens earlier."""
    with socket.create_connection(server.ready().address, timeout=PATIENCE) as connection:
        connection.sendall(ASK)
        assert status(connection) == 200


@pytest.mark.parametrize("module", [MODULES[0], pytest.param(MODULES[1], marks=pytest.mark.long)])
def test_a_stop_of_plain_gunicorn_answers_those_in_the_queue(module: str, tmp_path: Path):
    """An incomplete request occupies the only worker, so all other connections are in the system's listen queue."""
    with gunicorn(module, tmp_path) as server:
        ready(server)
        sockets = [socket.create_connection(server.address, timeout=PATIENCE) for _ in range(20)]
        try:
            sockets[0].sendall(ASK[:10])
            for connection in sockets[1:]:
                connection.sendall(ASK)
            server.process.send_signal(signal.SIGTERM)
            threading.Event().wait(0.3)
            sockets[0].sendall(ASK[10:])
            for connection in sockets:
                assert status(connection) == 200
                connection.close()  # some versions wait for this connection
            assert server.process.wait(PATIENCE) == 0
        finally:
            for connection in sockets:
                connection.close()


def test_readiness_of_plain_gunicorn_goes_first(tmp_path: Path):
    with gunicorn(MODULES[0], tmp_path, "--threads=2", WSGI_CORE_STOP_PAUSE="60") as server:
        ready(server)
        server.process.send_signal(signal.SIGTERM)
        seen = 200
        while seen == 200:
            with socket.create_connection(server.address, timeout=PATIENCE) as connection:
                connection.sendall(ASK.replace(b"healthz", b"readyz"))
                seen = status(connection)
        assert seen == 503
        server.process.kill()
