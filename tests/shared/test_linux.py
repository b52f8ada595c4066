"""Functions for Linux work there, and report on other systems that they are not available."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import pytest

from wsgi_core.shared import linux

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can do this")


@on_linux
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_is_accepted_non_blocking_with_its_address(family: socket.AddressFamily, host: str):
    with socket.socket(family) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]) as client:
            accepted = linux.accept4(listener)
            assert accepted is not None
            descriptor, address = accepted
            with socket.socket(fileno=descriptor) as connection:
                assert address == client.getsockname()[:2]
                assert not os.get_blocking(descriptor)
                assert not os.get_inheritable(descriptor)
                client.sendall(b"x")
                connection.setblocking(True)
                assert connection.recv(1) == b"x"


@on_linux
def test_without_a_waiting_connection_accept_would_block():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            linux.accept4(listener)


@on_linux
def test_a_socket_that_does_not_listen_is_left_to_pythons_accept():
    with socket.socket() as sock:
        assert linux.accept4(sock) is None


@on_linux
def test_new_connections_are_dropped_and_those_in_the_queue_are_not():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as queued:
        if not linux.drop_new_connections(listener):
            pytest.skip("this sandbox has no socket filters")
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.3)
        connection, address = listener.accept()
        with contextlib.closing(connection):
            assert address == queued.getsockname()
            queued.sendall(b"x")
            assert connection.recv(1) == b"x"


def test_elsewhere_each_function_says_that_it_cannot(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(linux, "IS_LINUX", False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert linux.accept4(listener) is None
        assert linux.drop_new_connections(listener) is False
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()
    assert linux.set_mmap_threshold(1 << 20) is False
    assert linux._c_library() is None
