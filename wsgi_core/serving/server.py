"""The server: the event loop, the listening sockets, and the graceful stop. A stop has four steps:

1. Readiness checks begin to fail. For `stop_pause` seconds, the server still accepts connections, and each response
   closes its connection.
2. The server refuses new connections.
3. The server answers the accepted requests. It closes idle connections, and connections whose clients have read nothing
   for 5 seconds.
4. The server ends when all requests are done and all connections are closed, or `stop_timeout` seconds after the end of
   `stop_pause`.

The monitoring port is a second port, only for health checks and metrics. Its connections do not delay the end.
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

# The event loop runs at least once in this many seconds, to check timeouts.
_TICK = 0.25
_TICK_DURING_STOP = 0.02
# The same number while `Listener.deferring` is true: another process may accept connections first.
_TICK_DURING_DEFERRAL = 0.001
_SECONDS_BETWEEN_CHECKS = 0.02
_SECONDS_BETWEEN_REPORTS = 10.0
# The limit of connections to the monitoring port.
_MONITOR_CONNECTIONS = 64


def serve_application(
    app: Any, socks: list[socket.socket], settings: Settings, count: ConnectionCount | None = None
) -> Server:
    """Return a server for `app`, which comes from `load_application`.

    The first socket in `socks` is for all requests. An optional second socket is the monitoring port.
    """
    sock, *monitor = socks
    arguments = server_arguments(app, settings)
    return Server(app, sock, settings, monitor_sock=monitor[0] if monitor else None, count=count, **arguments)


class Server:
    """Serves a WSGI application on a bound socket. docs/develop/server.md explains the arguments after `settings`.

    If `app` has a dict `extensions`, the server uses `extensions["readiness"]` as its `Readiness`, and sets
    `extensions["server"]` to itself.
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
        """Stop without waiting for unanswered requests. Any thread or signal handler may call `abort`."""
        self.stop()
        self._aborted = True
        self._wake()

    def run(self) -> bool:
        """Serve until `stop` is called and the stop is complete.

        Return False if a response is still incomplete or a thread still runs at the end, otherwise True.
        """
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
        """The number of refused requests since the start, by reason."""
        return self.admission.refused

    def gauges(self) -> dict[str, float]:
        """Return the server's metrics by name, without the numbers of connections. Thread-safe."""
        return {
            "waiting_requests": self.admission.waiting,
            "expected_wait_seconds": self.admission.expected_wait,
            "unsent_bytes": self.site.unsent.used,
            "body_memory_bytes": self.site.bodies.memory.used,
            "body_disk_bytes": self.site.bodies.disk.used,
        }

    def connections(self) -> Counter[str]:
        """Return the number of open connections in each state (`channel.State`). Thread-safe."""
        counted: Counter[str] = Counter()
        for listener in self._listeners:
            for state, number in listener.states().items():
                counted[state] += number
        return counted

    def _step(self) -> bool:
        """Run one iteration of the event loop. Return False if the server has stopped."""
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
        """If `stop` was called, take the next step of the stop. Return whether the stop is complete."""
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
        """If requests were refused, log their number, at most once in `_SECONDS_BETWEEN_REPORTS` seconds."""
        if now - self._reported_at >= _SECONDS_BETWEEN_REPORTS:
            self._reported_at = now
            refused = self.admission.refused.total()
            if refused > self._reported:
                logger.warning("overloaded: %d requests refused since the last report", refused - self._reported)
            self._reported = refused

    def _wake(self) -> None:
        if not self._ended:
            self._poller.wake()
