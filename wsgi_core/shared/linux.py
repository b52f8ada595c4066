"""The seam for what only Linux has. Elsewhere each function returns None or False, and the caller goes its other way.

Python has no names for these, so they are called through the C library, while the GIL is held: none of them waits.
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
# Classic BPF (linux/filter.h), four instructions of 8 bytes: load the byte of TCP's flags; if SYN is not set, keep the
# whole packet; if it is set, drop it.
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
    # PyDLL calls a library while the GIL is held.
    return ctypes.PyDLL(None, use_errno=True) if IS_LINUX else None


_C = _c_library()


def accept4(listener: socket.socket) -> tuple[int, tuple[Any, ...]] | None:
    """Accept a connection: its file descriptor, non-blocking and not inherited, and the client's address.

    Return None if there is no such call, or if it failed: the caller tries Python's own, which raises what is wrong.
    Raises BlockingIOError if no connection waits.
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
        raise BlockingIOError(error, "no connection waits")
    return None


def parse_address(family: int, address: bytes) -> tuple[Any, ...]:
    """Return host and port. netinet/in.h: sockaddr_in is family, port, address; sockaddr_in6 has a label between."""
    port = int.from_bytes(address[2:4], "big")
    host = address[4:8] if family == socket.AF_INET else address[8:24]
    return socket.inet_ntop(family, host), port


def drop_new_connections(sock: socket.socket) -> bool:
    """Have the kernel drop every new connection's first packet; connections in the queue are not touched.

    The client repeats that packet after a second. Return whether it could be done: a sandbox may have no such filters.
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
    """Have glibc return freed blocks of `size` bytes and more to the system at once; return whether it did.

    By itself glibc raises that size with each large block that is freed, up to 32 MiB, and then every thread keeps
    what its largest body has needed.
    """
    mallopt = getattr(_C, "mallopt", None) if IS_LINUX else None
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, size) == 1
