"""How a listening socket refuses new connections without cutting off those that wait to be accepted."""

from __future__ import annotations

import socket

from .linux import drop_new_connections

BACKLOG_GRACE_SECONDS = 0.1
"""Seconds in which the handshakes that have begun can end: a round trip to the client and back."""


def refuse_new(sock: socket.socket) -> None:
    """Refuse new connections. Those in the queue of the socket, or half-way into it, can still be accepted.

    Closing a listening socket resets all connections in its queue, so the queue must be empty before and must stay
    empty. On Linux the kernel drops new connections: a client repeats its first packet after a second, and by then is
    refused by the closed socket. Elsewhere the queue is made as short as possible.
    """
    if not drop_new_connections(sock):
        sock.listen(0)
