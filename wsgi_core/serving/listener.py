"""Accepts connections, and closes connections that exceed a timeout or a limit. Runs on the I/O thread.

Unsent bytes are bytes of a response that the operating system has not yet taken from the server. A lingering connection
has had its last response, and waits until the client closes its side.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections import Counter

from ..shared.listen_queue import refuse_new
from . import nonblocking
from .balance import ConnectionCount
from .channel import LINGER, Channel, State
from .environ import server_environ
from .errors import too_slow
from .limits import select_limit, with_headroom
from .poller import READ, Poller
from .site import Site

logger = logging.getLogger("wsgi_core.serving")

# During a stop, a connection is closed after it has been idle for this many seconds.
_IDLE_DURING_STOP = 1.0
# During a stop, a connection is closed after its client has read nothing of the response for this many seconds.
_BLOCKED_DURING_STOP = 5.0
# The names with ABOVE_LIMIT apply while more connections are open than the limit. A connection may be closed after it
# has been idle, or its client has read nothing of the response, for this many seconds.
_IDLE_ABOVE_LIMIT = 2.0
# A connection may be closed if its request is incomplete, and no byte has arrived for this many seconds.
_SILENT_ABOVE_LIMIT = 0.1
# A connection may be closed if the headers of its request have been incomplete for this many seconds.
_OLD_HEAD_ABOVE_LIMIT = 1.0
# A connection may be closed if its request with complete headers has been incomplete for this many seconds.
_OLD_BODY_ABOVE_LIMIT = 5.0
# A lingering connection is closed after no byte has arrived for this many seconds.
_LINGER_ABOVE_LIMIT = 0.05
# A lingering connection is closed after this many seconds, even if bytes still arrive.
_SENDING_LINGER_ABOVE_LIMIT = 0.25
# While the server has too many unsent bytes, a connection is closed after its client has read nothing for this many
# seconds.
_BLOCKED = 1.0
# While the server has too many unsent bytes, a connection is closed if its client will probably need more than this
# many seconds to read the rest of the response.
_LONG_TO_READ = 5.0
_MAX_ACCEPTS = 64
# After accept() has failed, for example because too many files are open, wait this many seconds before the next try.
_ACCEPT_BACKOFF = 0.25
# If this process has too many connections, it accepts none for this many seconds.
_DEFER = 0.005
# If this process still has too many connections after `_DEFER` seconds, it accepts connections for this many seconds.
_ACCEPTS_AFTER_TIMEOUT = 0.05
_SECONDS_BETWEEN_CHECKS = 0.25
_BACKLOG = 4096


class Listener:
    """A listening socket and its connections. The listener tries to keep at most `limit` connections open.

    If `monitoring_only` is true, requests other than GET and HEAD of the paths in `site.monitoring` get a 404. `count`
    shares the number of connections with the other server processes.
    """

    def __init__(
        self,
        site: Site,
        sock: socket.socket,
        poller: Poller,
        limit: int,
        monitoring_only: bool = False,
        count: ConnectionCount | None = None,
    ) -> None:
        self.site = site
        self.poller = poller
        self.limit = limit
        self.monitoring_only = monitoring_only
        self.environ = server_environ(sock.getsockname()[1], site.ident, site.settings.processes != 1)
        self.channels: set[Channel] = set()
        self.accepting = self.stopping = False
        self._by_client: Counter[str] = Counter()
        self._count = count
        self.deferring = False
        self._deferred_at = self._accepts_until = 0.0
        self._most = with_headroom(limit)
        self._closes_pending = 0
        self._paused_until = self._checked_at = 0.0
        self._socket = sock
        self._number = sock.fileno()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Begin to accept connections."""
        self._socket.listen(_BACKLOG)
        self.accepting = True
        self._publish_count()
        self.poller.handle_first(self)
        self.poller.watch(self, READ)

    def fileno(self) -> int:
        """Return the file descriptor of the listening socket. The number is also returned after `close`."""
        return self._number

    def handle_read(self) -> None:
        """Accept connections from the backlog, about `_MAX_ACCEPTS` at most.

        If this process has too many connections (`ConnectionCount.too_high`), set `deferring` and accept no more. Then
        another server process can accept the connections. After a deferral has timed out, connections are accepted for
        `_ACCEPTS_AFTER_TIMEOUT` seconds in any case.
        """
        now = time.monotonic()
        for _ in range(_MAX_ACCEPTS):
            if self._count is not None and self._count.too_high and now >= self._accepts_until:
                self.deferring = True
                self._deferred_at = now
                break
            before = len(self.channels)
            self._accept(min(self._most, before + 1))
            if len(self.channels) <= before:
                break
        self._watch()

    def end_deferral(self) -> None:
        """Reset `deferring` if this process no longer has too many connections, or if `_DEFER` seconds have passed."""
        now = time.monotonic()
        timeout = now - self._deferred_at >= _DEFER
        if timeout:
            self._accepts_until = now + _ACCEPTS_AFTER_TIMEOUT
        if timeout or self._count is None or not self._count.too_high:
            self.deferring = False
            self._watch()

    def handle_write(self) -> None:
        """Do nothing, because a listening socket is never written to."""

    def handle_hangup(self) -> None:
        """Close the socket, because it is broken."""
        self.close()

    def should_close(self) -> bool:
        """Return whether a response that begins now must close its connection. Call this method once for each response.

        The result is True if `stopping` is true, or if a connection must be closed because more than `limit`
        connections are open. The method counts the connections that it has chosen to close.
        """
        if self._closes_pending <= 0:
            return self.stopping
        self._closes_pending -= 1
        return True

    def above_limit(self) -> bool:
        """Return whether more than `limit` connections are open."""
        return len(self.channels) > self.limit

    def remove(self, channel: Channel) -> None:
        """Remove `channel`, which is being closed, from the open connections."""
        self.poller.unregister(channel)
        self.channels.discard(channel)
        self._publish_count()
        self._by_client[channel.client] -= 1
        if not self._by_client[channel.client]:
            del self._by_client[channel.client]

    def refuse_new(self) -> None:
        """If possible, make the operating system refuse new connections. Connections in the backlog can still be
        accepted.
        """
        refuse_new(self._socket)

    def stop_listening(self) -> None:
        """Accept the connections in the backlog, and close the listening socket. From now on, each response closes its
        connection.

        On Windows, connections above `select_limit` are not accepted.
        """
        self._accept(select_limit())
        self.stopping = True
        self.close()

    def close(self) -> None:
        """Close the listening socket. Accepted connections stay open."""
        if self.accepting:
            self.accepting = False
            if self._count is not None:
                self._count.stop()
            self.poller.unregister(self)
        self._socket.close()

    def maintenance(self, now: float) -> None:
        """Close the connections that exceed a timeout or a limit. `now` is time.monotonic()."""
        self._shed_connections(now)
        if self.site.unsent.exceeded:
            self._shed_unsent(now)
        self._watch()
        if now - self._checked_at < _SECONDS_BETWEEN_CHECKS and now >= self._checked_at:
            return
        self._checked_at = now
        for channel in list(self.channels):
            self._check(channel, now)

    def close_idle(self) -> None:
        """Close the connections that would delay a stop.

        These are connections that have been idle for `_IDLE_DURING_STOP` seconds, and connections whose clients have
        read nothing for `_BLOCKED_DURING_STOP` seconds. An idle connection is kept if it has received bytes that the
        server has not read yet.
        """
        now = time.monotonic()
        for channel in self._idle_since(now - _IDLE_DURING_STOP):
            channel.close_if_silent()
        for channel in list(self.channels):
            if channel.unsent and channel.last_activity <= now - _BLOCKED_DURING_STOP:
                channel.close()

    def close_all(self) -> None:
        """Close every connection."""
        for channel in list(self.channels):
            channel.close()

    def unanswered(self) -> int:
        """Return the number of connections that wait for a response or for the rest of a response."""
        return sum(bool(channel.task or channel.unsent) for channel in self.channels)

    def states(self) -> Counter[State]:
        """Return the number of connections in each state. Thread-safe."""
        return Counter(channel.state for channel in self.channels.copy())

    def _check(self, channel: Channel, now: float) -> None:
        if channel.linger_until:
            if now >= channel.linger_until:
                channel.close()
        elif channel.unsent:
            channel.check_sending(now)
        elif channel.request is not None:
            channel.check_reading(now)
        elif channel.task is not None and channel.response_started:
            channel.check_sending(now)
        elif channel.idle and now - channel.last_activity >= self.site.settings.idle_timeout:
            channel.close_if_silent()

    def _watch(self) -> None:
        """Tell the poller whether to report new connections.

        The poller reports no new connections while too many connections are open, while `deferring` is true, or for a
        moment after accept() has failed.
        """
        if self.accepting:
            ready = time.monotonic() >= self._paused_until and not self.deferring
            self.poller.watch(self, READ if ready and len(self.channels) < self._most else 0)

    def _publish_count(self) -> None:
        if self._count is not None and self.accepting:
            self._count.set(len(self.channels))

    def _accept(self, up_to: int) -> None:
        """Accept connections until `up_to` connections are open or the backlog is empty.

        If the system cannot accept more connections, for example because too many files are open, accept none for
        `_ACCEPT_BACKOFF` seconds.
        """
        while len(self.channels) < up_to:
            try:
                sock, address = nonblocking.accept(self._socket)
            except BlockingIOError:
                return
            except ConnectionError:  # the client has already disconnected
                continue
            except OSError as error:
                logger.warning("no more connections can be accepted for now: %s", error)
                self._paused_until = time.monotonic() + _ACCEPT_BACKOFF
                return
            try:
                if sys.platform != "linux":  # on Linux a connection inherits the option from the listening socket
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._add(sock, address)
            except OSError:  # some systems report here that the client has already closed the connection
                sock.close()

    def _add(self, sock: nonblocking.NonBlockingSocket, address: tuple[object, ...]) -> None:
        channel = Channel(self, sock, address)
        most = self.site.settings.max_connections_per_client
        if most and self._by_client[channel.client] >= most and not self.site.proxies.trusts(channel.peer):
            sock.close()
            return
        self.channels.add(channel)
        self._publish_count()
        self._by_client[channel.client] += 1
        try:
            channel.handle_read()
        except Exception:
            logger.exception("a connection is closed because of an unexpected error")
            channel.close()

    def _shed_connections(self, now: float) -> None:
        """While more than `limit` connections are open, close lingering, then idle, then silent connections
        (`_silent_since`).

        If a silent connection has an incomplete request, the client gets a 408. If too many connections are still open
        afterwards, the next responses close their connections (`should_close`).
        """
        self._closes_pending = 0
        if len(self.channels) <= self.limit:
            return
        lingering = [channel for channel in self.channels if channel.linger_until]
        for channel in lingering:
            lingers = now - (channel.linger_until - LINGER)
            if channel.last_activity <= now - _LINGER_ABOVE_LIMIT or lingers >= _SENDING_LINGER_ABOVE_LIMIT:
                channel.close()
        closing = sum(channel.connected for channel in lingering)
        too_many = len(self.channels) - self.limit - closing
        for channel in self._idle_since(now - _IDLE_ABOVE_LIMIT)[: max(0, too_many)]:
            channel.close_if_silent()
            too_many -= not channel.connected
        for channel in self._silent_since(now)[: max(0, too_many)]:
            if channel.unsent:
                channel.close()
            elif channel.has_unread() and not _is_old(channel, now):
                continue
            elif channel.request is not None:
                channel.reject(too_slow("too many connections are open"))
            else:
                channel.close()
            too_many -= 1
        self._closes_pending = too_many

    def _shed_unsent(self, now: float) -> None:
        """While the unsent bytes of all connections exceed `max_unsent`, close connections whose clients read too
        slowly.

        The connection that needs the most time for its unsent bytes is closed first. No request begins while the limit
        is exceeded, so slow clients could otherwise block the service.
        """
        needed = {channel: _seconds_to_read(channel, now) for channel in self.channels if channel.unsent}
        for channel in sorted(needed, key=needed.__getitem__, reverse=True):
            if not self.site.unsent.exceeded:
                return
            blocked = channel.last_activity <= now - _BLOCKED
            slow = channel.sending_since <= now - _BLOCKED and needed[channel] > _LONG_TO_READ
            if blocked or slow:
                channel.close()

    def _idle_since(self, moment: float) -> list[Channel]:
        """Return the connections that have been idle since `moment` (time.monotonic()). The longest idle connection
        comes first.
        """
        idle = [channel for channel in self.channels if channel.last_activity <= moment and channel.idle]
        return sorted(idle, key=lambda channel: channel.last_activity)

    def _silent_since(self, now: float) -> list[Channel]:
        """Return the silent connections. The connections of the client with the most connections come first.

        A connection can be silent before its first request, during an incomplete request, or while its client should
        read. The connection is silent if no bytes were transferred lately, or if its request is old (`_is_old`).
        """
        silent = [
            channel
            for channel in self.channels
            if (
                (channel.request is not None or (channel.idle and not channel.used))
                and (channel.last_activity <= now - _SILENT_ABOVE_LIMIT or _is_old(channel, now))
            )
            or (channel.unsent and channel.last_activity <= now - _IDLE_ABOVE_LIMIT)
        ]
        return sorted(silent, key=lambda channel: (-self._by_client[channel.client], channel.last_activity))


def _seconds_to_read(channel: Channel, now: float) -> float:
    """Estimate the seconds until the client has read the unsent bytes, at its average rate so far."""
    return channel.unsent * (now - channel.sending_since) / max(1, channel.sent)


def _is_old(channel: Channel, now: float) -> bool:
    """Return whether the connection has a request that has been incomplete for long."""
    request = channel.request
    if request is None:
        return False
    return now - request.started >= (_OLD_BODY_ABOVE_LIMIT if request.headers_finished else _OLD_HEAD_ABOVE_LIMIT)
