"""Make a listening socket refuse new connections without resetting the connections in its backlog."""

from __future__ import annotations

import socket

from .linux import drop_new_connections

BACKLOG_GRACE_SECONDS = 0.1
"""Seconds to wait after `refuse_new`, so that handshakes in progress can complete."""


def refuse_new(sock: socket.socket) -> None:
    """Refuse new connections, as far as the system allows. Connections in the backlog can still be accepted.

    Call this function before `sock.close()`, which resets the connections in the backlog. On Linux, the kernel drops
    the SYN packets of new connections. A client repeats its SYN after a second, and is refused if `sock` is closed by
    then. If the system cannot drop SYN packets, the backlog is only made as short as possible.
    """
    if not drop_new_connections(sock):
        sock.listen(0)
