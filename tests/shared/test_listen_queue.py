"""A socket that refuses new connections keeps the connections in its listen queue."""

from __future__ import annotations

import socket
import sys

import pytest

from wsgi_core.serving.command import bind
from wsgi_core.shared.listen_queue import refuse_new


def test_who_was_let_in_is_still_there():
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"before")
        refuse_new(listener)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"before"
            client.sendall(b"after")
            assert accepted.recv(100) == b"after"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can do this")
def test_who_knocks_is_not_let_in_and_not_reset():
    with bind("127.0.0.1", 0) as listener, socket.socket() as late:
        refuse_new(listener)
        late.settimeout(0.05)
        with pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_where_there_are_no_filters_the_queue_is_made_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "other")
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        refuse_new(listener)
        accepted, _ = listener.accept()
        accepted.close()
