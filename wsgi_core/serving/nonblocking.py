"""A socket that never blocks, and is used without giving up the interpreter.

Python lets another thread on around each of a socket's calls. That is right where a call may wait. These cannot, and
where threads compute, each time costs the I/O thread a turn of theirs (`sys.getswitchinterval`): many times what the
call itself takes, so that under pressure it could not even refuse all who came.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
import threading
from typing import Any

_WINDOWS = sys.platform == "win32"
# PyDLL is ctypes's word for a library that is called with the interpreter held.
_SYSTEM = ctypes.PyDLL("ws2_32" if _WINDOWS else None, use_errno=True, use_last_error=_WINDOWS)
_NUMBER = ctypes.c_size_t if _WINDOWS else ctypes.c_int  # of a socket
_LENGTH = ctypes.c_int if _WINDOWS else ctypes.c_size_t
_DONE = ctypes.c_int if _WINDOWS else ctypes.c_ssize_t


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = _SYSTEM[name]
    function.restype, function.argtypes = result, arguments
    return function


_recv = _function("recv", _DONE, _NUMBER, ctypes.c_void_p, _LENGTH, ctypes.c_int)
_send = _function("send", _DONE, _NUMBER, ctypes.c_char_p, _LENGTH, ctypes.c_int)
_shutdown = _function("shutdown", ctypes.c_int, _NUMBER, ctypes.c_int)
_close = _function("closesocket" if _WINDOWS else "close", ctypes.c_int, _NUMBER)

_error: Any = getattr(ctypes, "get_last_error", ctypes.get_errno)
_NOT_NOW = {errno.EWOULDBLOCK, errno.EAGAIN, getattr(errno, "WSAEWOULDBLOCK", errno.EAGAIN)}

MOST_AT_ONCE = 64 << 10
"""Bytes that one call reads at most."""
# Each thread that reads has a buffer of its own: another could read into it before the bytes are copied.
_of_thread = threading.local()

_LONGEST_ADDRESS = 128


class NonBlockingSocket(socket.socket):
    """A connected socket. Where a call fails, Python's own is made in its place, and raises what there is to raise.

    "Not now" is no failure, and raised at once (BlockingIOError).
    """

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """What has come, at most ``bufsize`` bytes and `MOST_AT_ONCE`; empty at the end. Raises OSError."""
        buffer = _buffer()
        received: int = _recv(self.fileno(), buffer, min(bufsize, MOST_AT_ONCE), flags)
        if received >= 0:
            return ctypes.string_at(buffer, received)
        _raise_if_not_now()
        return super().recv(bufsize, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """How many of the bytes there was room for. Raises OSError."""
        sent: int = _send(self.fileno(), bytes(data), len(data), flags)
        if sent >= 0:
            return sent
        _raise_if_not_now()
        return super().send(data, flags)

    def shutdown(self, how: int) -> None:
        """End a direction. Raises OSError."""
        if _shutdown(self.fileno(), how):
            super().shutdown(how)

    def close(self) -> None:
        """Close; a second time does nothing."""
        number = self.detach()
        if number >= 0:
            _close(number)

    def setblocking(self, flag: bool) -> None:
        """Nothing: it never blocks."""


def accept(listener: socket.socket) -> tuple[NonBlockingSocket, tuple[Any, ...]]:
    """Who waits on a listening socket, and the address. Raises OSError, BlockingIOError if nobody does."""
    return (_accept_linux if sys.platform == "linux" else _accept)(listener)


def _accept(listener: socket.socket) -> tuple[NonBlockingSocket, tuple[Any, ...]]:
    sock, address = listener.accept()
    sock.setblocking(False)
    return _socket(listener, sock.detach()), address


def _accept_linux(listener: socket.socket) -> tuple[NonBlockingSocket, tuple[Any, ...]]:
    address = ctypes.create_string_buffer(_LONGEST_ADDRESS)
    length = ctypes.c_uint(_LONGEST_ADDRESS)
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    number = _SYSTEM.accept4(listener.fileno(), address, ctypes.byref(length), flags)
    if number < 0:
        _raise_if_not_now()
        return _accept(listener)
    return _socket(listener, number), _parse_address(listener.family, address.raw)


def _socket(listener: socket.socket, number: int) -> NonBlockingSocket:
    return NonBlockingSocket(listener.family, listener.type, listener.proto, fileno=number)


def _parse_address(family: int, address: bytes) -> tuple[Any, ...]:
    """Host and port. netinet/in.h: sockaddr_in has family, port, address; sockaddr_in6 a label before the address."""
    port = int.from_bytes(address[2:4], "big")
    host = address[4:8] if family == socket.AF_INET else address[8:24]
    return socket.inet_ntop(family, host), port


def _raise_if_not_now() -> None:
    number = _error()
    if number in _NOT_NOW:
        raise BlockingIOError(number, "not now")


def _buffer() -> Any:
    try:
        return _of_thread.buffer
    except AttributeError:
        _of_thread.buffer = ctypes.create_string_buffer(MOST_AT_ONCE)
        return _of_thread.buffer
