"""Features of Linux that Python does not offer.

On another system, `accept4` returns None, and `drop_new_connections` and `set_mmap_threshold` return False.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from typing import Any

IS_LINUX = sys.platform == "linux"

# linux/socket.h.
_SO_ATTACH_FILTER = 26
# Classic BPF (linux/filter.h), four instructions of 8 bytes. They load the byte with the TCP flags, keep the packet if
# SYN is not set, and drop the packet if SYN is set.
_DROP_SYN = b"".join(
    code.to_bytes(2, sys.byteorder) + bytes((if_true, if_false)) + value.to_bytes(4, sys.byteorder)
    for code, if_true, if_false, value in ((0x30, 0, 0, 13), (0x45, 1, 0, 2), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
)
# malloc.h.
_M_MMAP_THRESHOLD = -3
_LONGEST_ADDRESS = 128


class _Program(ctypes.Structure):
    """The C structure sock_fprog of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _c_library() -> Any:
    # PyDLL keeps the GIL during a call. The calls of this module do not block.
    return ctypes.PyDLL(None, use_errno=True) if IS_LINUX else None


_C = _c_library()


def accept4(listener: socket.socket) -> tuple[int, tuple[Any, ...]] | None:
    """Accept a connection from a non-blocking TCP socket. Return its file descriptor, and the client's host and port.

    The descriptor is non-blocking and not inheritable. Raises BlockingIOError if the backlog is empty. If the call
    fails, or if the system is not Linux, return None. The caller then calls `listener.accept()`, which raises the error
    if it persists.
    """
    if not IS_LINUX:
        return None
    address = ctypes.create_string_buffer(_LONGEST_ADDRESS)
    length = ctypes.c_uint(_LONGEST_ADDRESS)
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    descriptor: int = _C.accept4(listener.fileno(), address, ctypes.byref(length), flags)
    if descriptor >= 0:
        return descriptor, parse_address(listener.family, address.raw)
    error = ctypes.get_errno()
    if error in (errno.EAGAIN, errno.EWOULDBLOCK):
        raise BlockingIOError(error, "no connection is waiting")
    return None


def parse_address(family: int, address: bytes) -> tuple[Any, ...]:
    """Return the host and the port in a C structure sockaddr (netinet/in.h).

    The structure is sockaddr_in if `family` is AF_INET, and sockaddr_in6 otherwise.
    """
    port = int.from_bytes(address[2:4], "big")
    # In sockaddr_in6, a flow label of 4 bytes is between the port and the address.
    host = address[4:8] if family == socket.AF_INET else address[8:24]
    return socket.inet_ntop(family, host), port


def drop_new_connections(sock: socket.socket) -> bool:
    """Make the kernel drop the SYN packets of new connections to `sock`. The backlog keeps its connections.

    Return whether this succeeded. Some sandboxes do not allow it.
    """
    if not IS_LINUX:
        return False
    program = _Program(len(_DROP_SYN) // 8, _DROP_SYN)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))
    except OSError:
        return False
    return True


def set_mmap_threshold(size: int) -> bool:
    """Make glibc return freed blocks of at least `size` bytes to the system. Return whether this succeeded.

    By default, this minimum size grows, up to 32 MiB, each time that a larger block is freed.
    """
    mallopt = getattr(_C, "mallopt", None) if IS_LINUX else None
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, size) == 1
