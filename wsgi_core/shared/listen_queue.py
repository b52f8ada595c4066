"""Make a listening socket refuse new connections without resetting the connections in its backlog."""

from __future__ import annotations

import socket

from .linux import drop_new_connections

BACKLOG_GRACE_SECONDS = 0.1
"""Seconds to wait after `refuse_new`, in which handshakes in progress complete. A handshake needs one round trip."""


def refuse_new(sock: socket.socket) -> None:
    """Refuse new connections. Connections in the backlog or in the middle of a handshake can still be accepted.

    When a listening socket is closed, the kernel resets all connections in its backlog. So the backlog must be empty
    before the close, and must stay empty. On Linux the kernel is told to drop the SYN packets of new connections. A
    client repeats its SYN after a second. If the socket is closed by then, the kernel refuses the connection. On other
    systems, and in a sandbox that does not allow the filter, the backlog is made as short as possible.
    """
    if not drop_new_connections(sock):
        sock.listen(0)
