"""The socket that holds the GIL behaves as Python's own socket does, in every state of a connection."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.serving.running import PATIENCE
from wsgi_core.serving.nonblocking import NonBlockingSocket, accept

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.fixture(params=FAMILIES, ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, host = request.param
    with socket.socket(family) as sock:
        try:
            sock.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        sock.listen()
        sock.setblocking(False)
        yield sock


@pytest.fixture
def pair(listener: socket.socket) -> Iterator[tuple[NonBlockingSocket, socket.socket]]:
    with socket.create_connection(listener.getsockname()[:2]) as client:
        ours = accepted(listener)[0]
        yield ours, client
        ours.close()


def accepted(listener: socket.socket) -> tuple[NonBlockingSocket, tuple[object, ...]]:
    """Return the next accepted connection. On some systems, a new connection is not ready at once."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return accept(listener)
        except BlockingIOError:
            assert time.monotonic() < give_up
            time.sleep(0.001)


def eventually(sock: NonBlockingSocket, flags: int = 0) -> bytes:
    """Wait until bytes arrive, and return them."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return sock.recv(100, flags)
        except BlockingIOError:
            assert time.monotonic() < give_up
            time.sleep(0.001)


def test_nobody_there_is_no_error_to_end_with(listener: socket.socket):
    with pytest.raises(BlockingIOError):
        accept(listener)


def test_the_address_is_the_clients(listener: socket.socket):
    with socket.create_connection(listener.getsockname()[:2]) as client:
        sock, address = accepted(listener)
        assert address[:2] == client.getsockname()[:2] == sock.getpeername()[:2]
        assert not sock.get_inheritable()
        sock.close()


def test_bytes_go_both_ways(pair: tuple[NonBlockingSocket, socket.socket]):
    ours, client = pair
    assert ours.send(b"to the client") == 13
    assert client.recv(100) == b"to the client"
    client.sendall(b"to us")
    assert eventually(ours, socket.MSG_PEEK) == b"to us"
    assert ours.recv(2) == b"to"
    assert ours.recv(100) == b" us"


def test_nothing_there_and_no_room_are_not_now(pair: tuple[NonBlockingSocket, socket.socket]):
    ours, _ = pair
    with pytest.raises(BlockingIOError):
        ours.recv(100)
    with pytest.raises(BlockingIOError):
        sum(ours.send(b"x" * 100_000) for _ in range(10_000))


def test_the_ends_are_seen(pair: tuple[NonBlockingSocket, socket.socket]):
    ours, client = pair
    client.shutdown(socket.SHUT_WR)
    assert eventually(ours) == b""
    ours.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""
    with pytest.raises(OSError, match=r".") as failed:
        ours.send(b"x")
    assert not isinstance(failed.value, BlockingIOError)


def test_a_connection_that_was_reset_is_at_its_end(pair: tuple[NonBlockingSocket, socket.socket]):
    ours, client = pair
    # struct linger: two ints, on Windows two shorts.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()
    with pytest.raises(ConnectionResetError):
        eventually(ours)
    with pytest.raises(OSError, match=r".") as failed:
        ours.send(b"x")
    assert not isinstance(failed.value, BlockingIOError)


def test_it_is_closed_once(pair: tuple[NonBlockingSocket, socket.socket]):
    ours, client = pair
    ours.close()
    ours.close()
    assert client.recv(1) == b""
    for call in (lambda: ours.recv(1), lambda: ours.send(b"x"), lambda: ours.shutdown(socket.SHUT_RD)):
        with pytest.raises(OSError, match=r"."):
            call()


def test_threads_do_not_read_into_each_others_buffers(listener: socket.socket):
    def read(sock: NonBlockingSocket, byte: bytes) -> None:
        count = 0
        while count < 300_000:
            data = eventually(sock)
            assert data == byte * len(data)
            count += len(data)
        sock.close()
        done.append(byte)

    done: list[bytes] = []
    clients, threads = [], []
    for byte in (b"a", b"b", b"c"):
        clients.append(socket.create_connection(listener.getsockname()[:2]))
        threads.append(threading.Thread(target=read, args=(accepted(listener)[0], byte)))
        threads[-1].start()
    for client, byte in zip(clients, (b"a", b"b", b"c"), strict=True):
        client.sendall(byte * 300_000)
    for thread in threads:
        thread.join(20)
    for client in clients:
        client.close()
    assert sorted(done) == [b"a", b"b", b"c"]
