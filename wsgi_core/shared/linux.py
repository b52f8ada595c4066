"""Features of Linux that Python does not offer.

On another system, `accept4` returns None, and `drop_new_connections` and `set_mmap_threshold` return False. `accept4`
and `mallopt` are functions of the C library, which are called with ctypes. The calls do not block, so they keep the
GIL.
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
    """struct sock_fprog of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _c_library() -> Any:
    # PyDLL does not release the GIL during a call.
    return ctypes.PyDLL(None, use_errno=True) if IS_LINUX else None


_C = _c_library()


def accept4(listener: socket.socket) -> tuple[int, tuple[Any, ...]] | None:
    """Accept a connection of a non-blocking TCP socket, and return its file descriptor and the client's address.

    The descriptor is non-blocking and not inheritable. Return None if the system is not Linux, or if the call failed.
    Then the caller must call Python's accept(), which raises the error if it persists. Raises BlockingIOError if no
    connection is in the backlog.
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
    """Return host and port of the C structure sockaddr_in or sockaddr_in6 (netinet/in.h).

    sockaddr_in consists of family, port and address. sockaddr_in6 has a flow label between port and address.
    """
    port = int.from_bytes(address[2:4], "big")
    host = address[4:8] if family == socket.AF_INET else address[8:24]
    return socket.inet_ntop(family, host), port


def drop_new_connections(sock: socket.socket) -> bool:
    """Make the kernel drop the SYN packets of new connections. Connections in the backlog are not affected.

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

    By default, glibc does not keep this threshold fixed. When a larger block is freed, glibc raises the threshold to
    the size of the block, up to 32 MiB. From then on, the process keeps the memory of freed blocks below this size.
    """
    mallopt = getattr(_C, "mallopt", None) if IS_LINUX else None
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, size) == 1
