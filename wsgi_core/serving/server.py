"""Serves a WSGI application. At a stop, requests that have arrived are still answered. A stop has four steps:

1. The application reports that it is not ready. During `stop_pause` the server continues to serve, so that load
   balancers can choose another server. Responses close their connections.
2. New connections are refused.
3. Every accepted request is answered, and idle connections are closed. A connection is also closed if its client
   has not read its response for 5 seconds.
4. The server ends when every request is answered and no connection is open, or `stop_timeout` seconds after the pause.
   The server does not wait for connections to the monitoring port.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from ..shared.listen_queue import BACKLOG_GRACE_SECONDS
from ..shared.readiness import Readiness
from ..shared.settings import Settings
from .admission import Reason
from .application import server_arguments
from .balance import ConnectionCount
from .limits import connection_limit, return_large_blocks
from .listener import Listener
from .poller import Poller
from .protocols import HeadCheck
from .site import Site

logger = logging.getLogger("wsgi_core.serving")

# Seconds after which the loop runs even without an event, to check timeouts.
_TICK = 0.25
_TICK_DURING_STOP = 0.02
# The same, while another process may accept connections first (`Listener.deferring`).
_TICK_DURING_DEFERRAL = 0.001
_SECONDS_BETWEEN_CHECKS = 0.02
_SECONDS_BETWEEN_REPORTS = 10.0
# The limit of connections to the monitoring port.
_MONITOR_CONNECTIONS = 64


def serve_application(
    app: Any, socks: list[socket.socket], settings: Settings, count: ConnectionCount | None = None
) -> Server:
    """Return a server for an application from `load_application`.

    If two sockets are given, the second socket is for the monitoring port.
    """
    sock, *monitor = socks
    arguments = server_arguments(app, settings)
    return Server(app, sock, settings, monitor_sock=monitor[0] if monitor else None, count=count, **arguments)


class Server:
    """Serves a WSGI application on a bound socket. docs/develop/server.md explains most arguments.

    `count` tells other server processes how many connections this process has.
    `readiness` is the application's `extensions["readiness"]`, if the application has one. The server sets
    `extensions["server"]` to itself, where the application's metrics find it.
    """

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        settings: Settings,
        *,
        monitoring: Collection[str] = (),
        health: Collection[str] = (),
        body_limits: Mapping[str, int] | None = None,
        check_head: HeadCheck | None = None,
        monitor_sock: socket.socket | None = None,
        count: ConnectionCount | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.port: int = sock.getsockname()[1]
        self.site = Site(
            app, settings, monitoring=monitoring, health=health, body_limits=body_limits, check_head=check_head
        )
        self.admission = self.site.admission
        extensions = getattr(app, "extensions", {})
        self.readiness: Readiness = extensions.get("readiness") or Readiness()
        extensions["server"] = self
        self._poller = Poller()
        self._listener = Listener(self.site, sock, self._poller, connection_limit(settings, sys.platform), count=count)
        self._listeners = [self._listener]
        if monitor_sock is not None:
            self._listeners.append(
                Listener(self.site, monitor_sock, self._poller, _MONITOR_CONNECTIONS, monitoring_only=True)
            )
        self._stop_at = self._checked_at = self._reported_at = 0.0
        self._refusing = self._aborted = self._ended = False
        self._reported = 0
        for listener in self._listeners:
            listener.start()

    def stop(self) -> None:
        """Begin to stop. `run` returns when the stop is complete. Any thread or signal handler may call `stop`."""
        if not self._stop_at:
            self._stop_at = time.monotonic()
            self.readiness.stop()
            # Without a pause, responses close their connections only after new connections are refused.
            self._listener.stopping = self.settings.stop_pause > 0
        self._wake()

    def abort(self) -> None:
        """Make `run` return soon, without waiting for requests that are still unanswered."""
        self.stop()
        self._aborted = True
        self._wake()

    def run(self) -> bool:
        """Serve until `stop` is called. Return whether no request was left unanswered and all threads have ended."""
        return_large_blocks()
        dispatcher = self.site.dispatcher
        try:
            dispatcher.loop.run(self._step, take_over=dispatcher.add_former_leader)
        finally:
            unanswered = sum(listener.unanswered() for listener in self._listeners)
            self._ended = True
            for listener in self._listeners:
                listener.close_all()
                listener.close()
            ended = dispatcher.end(timeout=0.1 if self._aborted else 1.0)
            self._poller.close()
        if unanswered:
            logger.warning("stopped with %d requests unanswered", unanswered)
        return ended and not unanswered

    @property
    def refused(self) -> Counter[Reason]:
        """The number of requests refused since the start, by reason."""
        return self.admission.refused

    def gauges(self) -> dict[str, float]:
        """Return the server's gauges, except the numbers of connections. Any thread may call this method."""
        return {
            "waiting_requests": self.admission.waiting,
            "expected_wait_seconds": self.admission.expected_wait,
            "unsent_bytes": self.site.unsent.used,
            "body_memory_bytes": self.site.bodies.memory.used,
            "body_disk_bytes": self.site.bodies.disk.used,
        }

    def connections(self) -> Counter[str]:
        """Return how many connections are in each state. Any thread may call this method."""
        counted: Counter[str] = Counter()
        for listener in self._listeners:
            for state, number in listener.states().items():
                counted[state] += number
        return counted

    def _step(self) -> bool:
        """Handle ready sockets and queued requests. Return False when the server has stopped. Runs on the leader."""
        if self._done():
            return False
        dispatcher = self.site.dispatcher
        tick = _TICK_DURING_STOP if self._stop_at else _TICK
        if self._listener.deferring:
            tick = _TICK_DURING_DEFERRAL
        self._poller.step(dispatcher.poll_timeout(tick))
        if self._listener.deferring:
            self._listener.end_deferral()
        self._maintenance(time.monotonic())
        dispatcher.serve_on_leader()  # must be last: another thread may be the leader afterwards
        return True

    def _done(self) -> bool:
        """Take the next step of a stop, if `stop` was called. Return whether the stop is complete."""
        if not self._stop_at:
            return False
        waited = time.monotonic() - self._stop_at - self.settings.stop_pause
        if waited < 0 and not self._aborted:
            return False
        if not self._refusing:
            self._refusing = True
            self._listener.refuse_new()
        if waited < BACKLOG_GRACE_SECONDS and not self._aborted:
            return False
        if self._listener.accepting:
            self._listener.stop_listening()
        self._listener.close_idle()
        idle = not (self._listener.channels or self.admission.admitted)
        return idle or self._aborted or waited >= self.settings.stop_timeout

    def _maintenance(self, now: float) -> None:
        if now - self._checked_at >= _SECONDS_BETWEEN_CHECKS:
            self._checked_at = now
            self.site.dispatcher.expire(now)
            for listener in self._listeners:
                listener.maintenance(now)
            self._report(now)

    def _report(self, now: float) -> None:
        """Log a warning if requests were refused since the last report.

        Do nothing if the last report was less than `_SECONDS_BETWEEN_REPORTS` seconds ago.
        """
        if now - self._reported_at >= _SECONDS_BETWEEN_REPORTS:
            self._reported_at = now
            refused = self.admission.refused.total()
            if refused > self._reported:
                logger.warning("overloaded: %d requests refused since the last report", refused - self._reported)
            self._reported = refused

    def _wake(self) -> None:
        if not self._ended:
            self._poller.wake()
