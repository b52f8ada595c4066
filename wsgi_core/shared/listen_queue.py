"""How a listening socket stops letting clients in without cutting off any who are in already."""

from __future__ import annotations

import ctypes
import socket
import sys

LET_IN_SECONDS = 0.1
"""For those to come in who have knocked already: a round trip to them and back."""

# linux/socket.h; Python has no name for it.
_SO_ATTACH_FILTER = 26
# Classic BPF (linux/filter.h), four instructions of 8 bytes: load the byte of TCP's flags; is SYN among them? no: keep
# the whole packet; yes: drop it.
_DROP_SYN = b"".join(
    code.to_bytes(2, sys.byteorder) + bytes((if_true, if_false)) + value.to_bytes(4, sys.byteorder)
    for code, if_true, if_false, value in ((0x30, 0, 0, 13), (0x45, 1, 0, 2), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
)


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def refuse_new(sock: socket.socket) -> None:
    """Let nobody else in; who is in the queue, or half-way into it, can still be accepted.

    Closing a listening socket resets everybody in its queue, requests and all, so that it must be empty before, and
    must stay so. On Linux whoever knocks now is not heard; after a second he knocks again, and by then is refused in
    order. Elsewhere the queue is made as short as it can be.
    """
    if sys.platform == "linux":
        program = _Program(len(_DROP_SYN) // 8, _DROP_SYN)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))
        except OSError:  # a sandbox that has no such filters
            sock.listen(0)
    else:
        sock.listen(0)
