"""The I/O side of the server: takes connections, looks after those that are slow or idle, lets go of them."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from copy import copy
from typing import Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer

from ..shared.listen_queue import refuse_new
from ..shared.settings import Settings
from . import nonblocking
from .bodies import Bodies
from .channel import Channel
from .connections import connection_limit, with_guests
from .errors import too_slow
from .lanes import Lanes
from .parser import Limits, Parser
from .poller import Poller
from .proxies import believe_proxy

logger = logging.getLogger("wsgi_core.serving")

# Seconds without a request after which a connection may be closed: for a stop, and to make room for others.
_MAY_GO = 1.0
_MAKES_ROOM = 2.0
# Seconds of silence after its last answer in which a client may close its side itself, also where there is no room.
_HEARD_OUT = 0.05
# Bytes of the bodies on their way that wait in memory; the rest waits in files.
_BODIES_IN_MEMORY = 16 << 20
# A body that is worked on as it is read, and so may be larger than others.
STREAM_PATH = "/predict/stream"
_ACCEPTED_IN_A_ROW = 64
# Seconds in which nobody is accepted after the system could not, for lack of files.
_PAUSE = 0.25


def make_limits(settings: Settings, sock: socket.socket) -> Limits:
    """waitress's own settings for ours."""
    body_limits = {STREAM_PATH: settings.stream_max_content_length}
    limits = Limits(
        sockets=[sock],
        ident="wsgi_core",
        backlog=4096,
        # It counts the framing of chunks too; the parser looks at the body itself.
        max_request_body_size=8 * max(settings.max_content_length, *body_limits.values()),
        max_request_header_size=settings.max_header_bytes,
        recv_bytes=nonblocking.MOST_AT_ONCE,
        outbuf_high_watermark=1 << 20,
        channel_request_lookahead=1,  # to see that a client has left while its request is at work
        clear_untrusted_proxy_headers=False,  # `believe_proxy` does
    )
    limits.max_headers = settings.max_headers
    limits.max_content_length = settings.max_content_length
    limits.body_limits = body_limits
    limits.bodies = Bodies(_BODIES_IN_MEMORY)
    limits.by_path = {}
    streamed = copy(limits)
    streamed.max_content_length = settings.stream_max_content_length
    streamed.max_request_body_size = settings.stream_max_content_length + 1
    limits.by_path[STREAM_PATH] = streamed
    return limits


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Accepts on a bound socket. Only the thread that runs the loop may call it, `wake` and `changed` excepted."""

    def __init__(self, app: Any, sock: socket.socket, settings: Settings, lanes: Lanes) -> None:
        self.settings = settings
        self.limit = connection_limit(settings, sys.platform)
        self.stopping = False
        self._most = with_guests(self.limit)
        self._thread = 0
        self._to_let_go = 0
        self._accept_at = 0.0
        self._closed = False
        sockinfo = (sock.family, sock.type, sock.proto, sock.getsockname())
        limits = make_limits(settings, sock)
        self.poller = Poller()
        application = believe_proxy(app, settings)
        super().__init__(application, self.poller, True, sock, lanes, limits, sockinfo, bind_socket=False)

    def set_reuse_addr(self) -> None:
        """The socket came bound; nothing is shared that was not meant to be."""

    def step(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds for something to do, and do it."""
        self._thread = threading.get_ident()
        self.poller.changed(self)  # there may be room
        self.poller.step(timeout)

    def wake(self) -> None:
        """Have `step` come back; from any thread."""
        if not self._closed:
            self.trigger.pull_trigger()

    def pull_trigger(self) -> None:
        """Nothing: waitress's channels wake the loop to look at all of them, ours by `changed` to look at one."""

    def changed(self, channel: Channel) -> None:
        """A channel may wait for something else than before; from any thread."""
        if channel.connected and self.poller.changed(channel) and not self.is_own_thread():
            self.wake()

    def is_own_thread(self) -> bool:
        """Whether this is the thread that runs the loop."""
        return threading.get_ident() == self._thread

    def readable(self) -> bool:
        """Whether to accept, also beyond the limit, up to the guests: see `_make_room`."""
        room = len(self.active_channels) < self._most
        return bool(self.accepting) and room and time.monotonic() >= self._accept_at

    def handle_accept(self) -> None:
        """Accept who is there, as far as there is room."""
        self._accept(min(self._most, len(self.active_channels) + _ACCEPTED_IN_A_ROW))

    def last_here(self) -> bool:
        """Whether an answer given now is to be its connection's last: the server stops, or others wait for a turn."""
        if self._to_let_go <= 0:
            return self.stopping
        self._to_let_go -= 1
        return True

    def _accept(self, up_to: int) -> None:
        """Accept until there are so many connections, or nobody waits. Most have sent something already."""
        while len(self.active_channels) < up_to:
            try:
                sock, address = nonblocking.accept(self.socket)
            except (BlockingIOError, ConnectionAbortedError):  # nobody waits, or has gone again
                return
            except OSError as error:
                logger.warning("no more connections can be accepted for now: %s", error)
                self._accept_at = time.monotonic() + _PAUSE
                return
            try:
                self.set_socket_options(sock)
                channel = Channel(self, sock, address, self.adj, map=self._map)
            except OSError:  # gone again, as some systems see it
                sock.close()
            else:
                wasyncore.read(channel)

    def refuse_new(self) -> None:
        """Let nobody else in. Those in the system's queue are accepted as before, until `stop_listening`."""
        refuse_new(self.socket)

    def stop_listening(self) -> None:
        """Accept the last and close the socket. The connections that are open stay so, and are used once more."""
        # Whom the system has let in would be reset. Where select() can wait for so many only, some are.
        self._accept(self._most if sys.platform == "win32" else sys.maxsize)
        self.accepting = False
        self.stopping = True
        wasyncore.dispatcher.close(self)

    def look_after(self, now: float) -> None:
        """End the connections whose time is over. ``now``: time.monotonic()."""
        wall = time.time()  # which waitress notes for each channel
        self._make_room(wall)
        for channel in list(self.active_channels.values()):
            if channel.linger_until:
                if now >= channel.linger_until:
                    channel.handle_close()
            elif channel.total_outbufs_len:
                if wall - channel.last_activity >= self.settings.send_timeout:
                    channel.handle_close()
            elif (request := channel.request) is not None:
                self._look_after_request(channel, request, now - request.started)
            elif channel.idle and wall - channel.last_activity >= self.settings.idle_timeout:
                channel.handle_close()

    def close_idle(self) -> None:
        """Close the connections without a request, but for those that one may just be on its way to."""
        for channel in self._idle_since(time.time() - _MAY_GO):
            channel.close_unasked()

    def unanswered(self) -> int:
        """How many connections wait for an answer, or for the rest of one."""
        return sum(bool(channel.requests or channel.total_outbufs_len) for channel in self.active_channels.values())

    def close(self) -> None:
        """Close everything that is left. A thread that is still at work wakes nobody any more."""
        self._closed = True
        super().close()
        self.poller.close()

    def close_all(self) -> None:
        """Close every connection."""
        for channel in list(self.active_channels.values()):
            channel.handle_close()

    def _look_after_request(self, channel: Channel, request: Parser, age: float) -> None:
        """Answer 408 where a request comes too slowly."""
        if not request.headers_finished:
            if age >= self.settings.header_timeout:
                channel.give_up(too_slow("the headers took too long"))
        elif age >= self.settings.body_timeout:
            channel.give_up(too_slow("the body took too long"))

    def _make_room(self, wall: float) -> None:
        """Where guests are in, have as many go.

        A guest is whoever makes the connections more than they should be: let in all the same, so that a probe gets in
        however many others never rest. First go those who had their last answer and do not close their side, then who
        has been idle for longest; for the others that are too many, as many of the next answers are the last.
        """
        self._to_let_go = 0
        if len(self.active_channels) <= self.limit:
            return
        lingering = [channel for channel in self.active_channels.values() if channel.linger_until]
        for channel in lingering:
            if channel.last_activity <= wall - _HEARD_OUT:
                channel.handle_close()
        going = sum(channel.connected for channel in lingering)
        too_many = max(0, len(self.active_channels) - self.limit - going)
        idle = self._idle_since(wall - _MAKES_ROOM)[:too_many]
        for channel in idle:
            channel.close_unasked()
        self._to_let_go = too_many - len(idle)

    def _idle_since(self, wall: float) -> list[Channel]:
        """Those without a request since then, who has been so for longest first."""
        channels: list[Channel] = list(self.active_channels.values())
        idle = [channel for channel in channels if channel.last_activity <= wall and channel.idle]
        return sorted(idle, key=lambda channel: channel.last_activity)
