"""Socket calls that do not release the GIL. Exception: on systems other than Linux, `accept` releases the GIL.

Python's own socket calls release the GIL even if they cannot block. If other threads compute, the I/O thread would wait
after each call until it gets the GIL back, often for `sys.getswitchinterval()` seconds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import threading
from typing import Any

from ..shared.linux import accept4

_WINDOWS = sys.platform == "win32"
# PyDLL calls the functions of a library without releasing the GIL.
_SYSTEM = ctypes.PyDLL("ws2_32" if _WINDOWS else None, use_errno=True, use_last_error=_WINDOWS)
_NUMBER = ctypes.c_size_t if _WINDOWS else ctypes.c_int  # a file descriptor; on Windows a SOCKET
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
_WOULD_BLOCK = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", errno.EAGAIN)}

MAX_RECEIVED = 64 << 10
"""The maximum number of bytes that one call of `recv` returns."""
# Each thread has its own receive buffer, so that no other thread overwrites the bytes before they are copied.
_thread_local = threading.local()


class NonBlockingSocket(socket.socket):
    """A socket whose `recv`, `send`, `shutdown` and `close` keep the GIL. The file descriptor must be non-blocking."""

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Return received bytes: at most `bufsize`, and at most `MAX_RECEIVED`. At the end of the stream, return b"".

        Raises BlockingIOError if no bytes have arrived, and another OSError if the connection is broken.
        """
        buffer = _buffer()
        length = bufsize if bufsize < MAX_RECEIVED else MAX_RECEIVED
        received: int = _recv(self.fileno(), buffer, length, flags)
        if received >= 0:
            data: bytes = buffer[:received]
            return data
        raise _last_error()

    def send(self, data: Any, flags: int = 0) -> int:
        """Send `data`, and return how many bytes the operating system has accepted.

        Raises BlockingIOError if no bytes can be sent now, and another OSError if the connection is broken.
        """
        sent: int = _send(self.fileno(), bytes(data), len(data), flags)
        if sent >= 0:
            return sent
        raise _last_error()

    def shutdown(self, how: int) -> None:
        """Shut down one direction of the connection, or both. Raises OSError if the connection is broken."""
        if _shutdown(self.fileno(), how):
            raise _last_error()

    def close(self) -> None:
        """Close the socket. A second call does nothing."""
        number = self.detach()
        if number >= 0:
            _close(number)

    def setblocking(self, flag: bool) -> None:
        """Do nothing, because the file descriptor is always non-blocking."""


def accept(listener: socket.socket) -> tuple[NonBlockingSocket, tuple[Any, ...]]:
    """Accept a connection. Return its socket and the client's address.

    Raises BlockingIOError if no connection is waiting, and another OSError if accept() fails.
    """
    if accepted := accept4(listener):
        descriptor, address = accepted
        return _socket(listener, descriptor), address
    sock, address = listener.accept()
    sock.setblocking(False)
    return _socket(listener, sock.detach()), address


def _socket(listener: socket.socket, number: int) -> NonBlockingSocket:
    return NonBlockingSocket(listener.family, listener.type, listener.proto, fileno=number)


def _last_error() -> OSError:
    """Return an exception for the error of the last socket call on this thread.

    The exception is a BlockingIOError if the call would have blocked, otherwise another OSError.
    """
    number = _error()
    if number in _WOULD_BLOCK:
        return BlockingIOError(number, "the call would block")
    if _WINDOWS:
        return OSError(0, ctypes.FormatError(number), None, number)  # type: ignore[attr-defined,unused-ignore]
    return OSError(number, os.strerror(number))


def _buffer() -> Any:
    try:
        return _thread_local.buffer
    except AttributeError:
        _thread_local.buffer = ctypes.create_string_buffer(MAX_RECEIVED)
        return _thread_local.buffer
