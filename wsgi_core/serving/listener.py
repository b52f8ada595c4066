"""The I/O side of the server: takes connections, looks after those that are slow or idle, lets go of them."""

from __future__ import annotations

import logging
import socket
import sys
import time
from copy import copy
from typing import Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer

from ..settings import Settings
from ..shared.refuse import refuse_new
from .channel import Channel
from .errors import too_slow
from .lanes import Lanes
from .parser import Limits, Parser
from .proxies import believe_proxy

logger = logging.getLogger("wsgi_core.serving")

# A process on Windows can wait for 512 sockets at most; the rest is for the listener and its like.
_WINDOWS_CONNECTIONS = 450
# Seconds without a request after which a connection may be closed to make room for another, and for a stop.
_MAY_GO = 1.0
# Seconds of silence after its last answer in which a client may close its side itself, also where there is no room.
_HEARD_OUT = 0.05
# A body that is worked on as it is read, and so may be larger than others.
STREAM_PATH = "/predict/stream"
_ACCEPTED_IN_A_ROW = 64
_SECONDS_BETWEEN_LOOKS = 0.02


def make_limits(settings: Settings, sock: socket.socket) -> Limits:
    """waitress's own settings for ours."""
    body_limits = {"/predict/stream": settings.stream_max_content_length}
    limits = Limits(
        sockets=[sock],
        ident="wsgi_core",
        # It counts the framing of chunks too; the parser looks at the body itself.
        max_request_body_size=8 * max(settings.max_content_length, *body_limits.values()),
        max_request_header_size=settings.max_header_bytes,
        recv_bytes=64 << 10,
        inbuf_overflow=64 << 10,  # what is larger waits in a temporary file
        outbuf_high_watermark=1 << 20,
        channel_request_lookahead=1,  # to see that a client has left while its request is at work
        clear_untrusted_proxy_headers=False,  # `believe_proxy` does
    )
    limits.max_headers = settings.max_headers
    limits.max_content_length = settings.max_content_length
    limits.body_limits = body_limits
    limits.by_path = {}
    streamed = copy(limits)
    streamed.max_content_length = settings.stream_max_content_length
    streamed.max_request_body_size = settings.stream_max_content_length + 1
    limits.by_path[STREAM_PATH] = streamed
    return limits


def connection_limit(settings: Settings, platform: str) -> int:
    """How many connections may be open on a ``platform`` (`sys.platform`)."""
    return min(settings.max_connections, _WINDOWS_CONNECTIONS) if platform == "win32" else settings.max_connections


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Accepts on a bound socket. Only the thread that runs the loop may call it, `pull_trigger` excepted."""

    channel_class = Channel

    def __init__(self, app: Any, sock: socket.socket, settings: Settings, lanes: Lanes) -> None:
        self.settings = settings
        self.limit = connection_limit(settings, sys.platform)
        self.stopping = False
        self._next_look = 0.0
        sockinfo = (sock.family, sock.type, sock.proto, sock.getsockname())
        limits = make_limits(settings, sock)
        super().__init__(believe_proxy(app, settings), {}, True, sock, lanes, limits, sockinfo, bind_socket=False)

    def set_reuse_addr(self) -> None:
        """The socket came bound; nothing is shared that was not meant to be."""

    def step(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds for something to do, and do it."""
        # select() takes no more than 1,024 files, and on Windows poll() is missing.
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)

    def readable(self) -> bool:
        """Whether to accept: there is room, or an idle connection that can make it."""
        return bool(self.accepting) and (self._has_room() or self._oldest_idle() is not None)

    def handle_accept(self) -> None:
        """Accept who is there, as far as there is room; then one in the place of who has been idle longest."""
        if self._has_room():
            self._accept(_ACCEPTED_IN_A_ROW)
        elif oldest := self._oldest_idle():
            oldest.close_unasked()
            self._accept(1)

    def _accept(self, count: int) -> None:
        """Accept at most so many connections, and no more than have room."""
        before = -1
        for _ in range(min(count, self.limit - len(self.active_channels))):
            if before == (before := len(self.active_channels)):
                return
            super().handle_accept()

    def refuse_new(self) -> None:
        """Let nobody else in. Those in the system's queue are accepted as before, until `stop_listening`."""
        refuse_new(self.socket)

    def stop_listening(self) -> None:
        """Accept the last and close the socket. The connections that are open stay so, and are used once more."""
        self._accept(self.limit)
        self.accepting = False
        self.stopping = True
        wasyncore.dispatcher.close(self)

    def look_after(self, now: float) -> None:
        """End the connections whose time is over. ``now``: time.monotonic()."""
        wall = time.time()  # which waitress notes for each channel
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

    def _has_room(self) -> bool:
        return len(self.active_channels) < self.limit

    def _oldest_idle(self) -> Channel | None:
        """Who can go for a new connection. Looking at all of them is not for every turn of the loop."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        wall = time.time()
        # Who was told to go asks nothing more. A request of one who is only idle may be on its way.
        found = self._told_to_go(wall - _HEARD_OUT)
        if found is None:
            found = min(self._idle_since(wall - _MAY_GO), key=lambda channel: channel.last_activity, default=None)
        if found is None:
            self._next_look = now + _SECONDS_BETWEEN_LOOKS
        return found

    def _told_to_go(self, wall: float) -> Channel | None:
        """A client that has had its last answer, has sent nothing since, and does not close its side."""
        channels: list[Channel] = list(self.active_channels.values())
        return next((channel for channel in channels if channel.linger_until and channel.last_activity <= wall), None)

    def _idle_since(self, wall: float) -> list[Channel]:
        channels: list[Channel] = list(self.active_channels.values())
        return [channel for channel in channels if channel.idle and channel.last_activity <= wall]
