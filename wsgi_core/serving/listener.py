"""Accepts connections, and closes connections that are slow, idle or above the limit. Runs on the I/O thread."""

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

# Seconds after which an idle connection may be closed, during a stop and above the limit of connections.
_IDLE_DURING_STOP = 1.0
_IDLE_ABOVE_LIMIT = 2.0
# Above the limit, a connection with an incomplete request may be closed after this many seconds of silence. Even if its
# client keeps sending, it may be closed when the head, or the body, has been incomplete for these numbers of seconds.
_SILENT_ABOVE_LIMIT = 0.1
_OLD_HEAD_ABOVE_LIMIT = 1.0
_OLD_BODY_ABOVE_LIMIT = 5.0
# Above the limit, a connection that has had its last response is closed after this many seconds of silence.
_LINGER_ABOVE_LIMIT = 0.05
# Above the limit, such a connection is closed after this many seconds even if its client still sends.
_SENDING_LINGER_ABOVE_LIMIT = 0.25
# If a client has read nothing of its response for this many seconds, its connection may be closed. The first number
# holds while the server has too many unsent bytes, and the second during a stop.
_BLOCKED = 1.0
_BLOCKED_DURING_STOP = 5.0
# While the server has too many unsent bytes, a connection may also be closed if its client seems to need more than this
# many seconds to read the rest of its response.
_LONG_TO_READ = 5.0
_MAX_ACCEPTS = 64
# Seconds without accepting after accept() has failed, for example because too many files are open.
_ACCEPT_BACKOFF = 0.25
# Seconds in which another server process with fewer connections may accept first.
_DEFER = 0.005
# If no other process has accepted in time, this process accepts all connections for this many seconds.
_ACCEPTS_AFTER_TIMEOUT = 0.05
_SECONDS_BETWEEN_CHECKS = 0.25
_BACKLOG = 4096


class Listener:
    """A listening socket and its connections. Up to about a quarter more connections than `limit` are accepted."""

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
        """Return the file descriptor of the listening socket. It stays the same after `close`."""
        return self._number

    def handle_read(self) -> None:
        """Accept waiting connections, up to the limit and its headroom.

        If this process has too many connections (`ConnectionCount.too_high`), accept none for about `_DEFER` seconds,
        so that another process can accept first.
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
        """Accept connections again if this process no longer has too many, or if `_DEFER` seconds have passed.

        Call this method after `handle_read` has stopped accepting so that another process can accept first.
        """
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
        """Return whether a response that begins now must close its connection.

        If `stopping` is true, every response closes its connection. If more connections are open than `limit`, the next
        responses close their connections until enough connections are closed. These responses are counted, so call this
        method only once for each response.
        """
        if self._closes_pending <= 0:
            return self.stopping
        self._closes_pending -= 1
        return True

    def above_limit(self) -> bool:
        """Return whether more connections are open than `limit`."""
        return len(self.channels) > self.limit

    def remove(self, channel: Channel) -> None:
        """Remove a connection that is being closed."""
        self.poller.unregister(channel)
        self.channels.discard(channel)
        self._publish_count()
        self._by_client[channel.client] -= 1
        if not self._by_client[channel.client]:
            del self._by_client[channel.client]

    def refuse_new(self) -> None:
        """Refuse new connections, as far as the system allows. Connections in the backlog are still accepted."""
        refuse_new(self._socket)

    def stop_listening(self) -> None:
        """Accept the connections in the backlog and close the socket. Later responses close their connections."""
        self._accept(select_limit())
        self.stopping = True
        self.close()

    def close(self) -> None:
        """Close the listening socket."""
        if self.accepting:
            self.accepting = False
            if self._count is not None:
                self._count.stop()
            self.poller.unregister(self)
        self._socket.close()

    def maintenance(self, now: float) -> None:
        """Close connections that have exceeded a timeout or are above a limit. `now` is time.monotonic()."""
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
        """Close connections that would delay a stop: idle connections, and connections whose clients do not read.

        An idle connection is kept if bytes have arrived that the server has not read yet.
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
        """Return how many connections wait for a response or for the rest of a response."""
        return sum(bool(channel.task or channel.unsent) for channel in self.channels)

    def states(self) -> Counter[State]:
        """Return how many connections are in each state. Any thread may call it."""
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
        """Make the poller report new connections, or make it report none for now.

        The poller reports none while the limit with its headroom is reached, and while another process may accept
        first. It also reports none for some time after a failure of accept().
        """
        if self.accepting:
            ready = time.monotonic() >= self._paused_until and not self.deferring
            self.poller.watch(self, READ if ready and len(self.channels) < self._most else 0)

    def _publish_count(self) -> None:
        if self._count is not None and self.accepting:
            self._count.set(len(self.channels))

    def _accept(self, up_to: int) -> None:
        """Accept connections until `up_to` are open or no connection is waiting.

        If accept() fails, for example because too many files are open, pause for `_ACCEPT_BACKOFF` seconds.
        """
        while len(self.channels) < up_to:
            try:
                sock, address = nonblocking.accept(self._socket)
            except BlockingIOError:
                return
            except ConnectionError:  # the client has already disconnected; this is not a failure of accept()
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
        """Close connections until only `limit` connections are open, or until no connection may be closed.

        Connections are closed in this order: connections that have had their last response, idle connections, and
        silent connections. A silent connection has never had a request, has an incomplete request (answered with 408),
        or has a response that the client does not read. A connection whose request has been incomplete for long counts
        as silent, even if a byte arrives now and then. The silent connections of the client with the most connections
        are closed first. If too many connections are still open, the next responses close their connections.
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
        """Close connections whose clients read nothing or slowly, until the total of unsent bytes is within its limit.

        The connection whose client needs longest for the rest of its response is closed first. No request is begun
        while the total is above the limit, so a few clients that read a little at a time could otherwise stop the
        service.
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
        """Return the connections that have been idle since `moment`, the longest idle first."""
        idle = [channel for channel in self.channels if channel.last_activity <= moment and channel.idle]
        return sorted(idle, key=lambda channel: channel.last_activity)

    def _silent_since(self, now: float) -> list[Channel]:
        """Return the silent connections that may be closed, in the order in which to close them."""
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
    """Return how many seconds the client needs to read the unsent bytes, at the pace so far."""
    return channel.unsent * (now - channel.sending_since) / max(1, channel.sent)


def _is_old(channel: Channel, now: float) -> bool:
    """Return whether the connection counts as silent because its request has been incomplete for long."""
    request = channel.request
    if request is None:
        return False
    return now - request.started >= (_OLD_BODY_ABOVE_LIMIT if request.headers_finished else _OLD_HEAD_ABOVE_LIMIT)
