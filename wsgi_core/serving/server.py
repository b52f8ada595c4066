"""The server: runs until it is told to stop, and then answers everybody who is there before it goes.

A stop has four parts. The application stops being ready, and for a pause everything else goes on, so that load
balancers can look elsewhere. Then no more connections are taken. Every request that has come is answered, the last on
each connection with `Connection: close`; idle connections are closed. When nobody is left, or time is over, it ends.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

from ..shared.listen_queue import LET_IN_SECONDS
from ..shared.readiness import Readiness
from ..shared.settings import Settings
from .admission import Admission
from .lanes import Lanes
from .listener import Listener
from .memory import return_large_blocks

logger = logging.getLogger("wsgi_core.serving")

# Seconds after which the loop looks around even if nothing happens: for the time limits, and on Windows for signals.
_TICK = 0.25
_TICK_OF_A_STOP = 0.02
# Looking at every connection is not for every turn of the loop, of which there are thousands a second.
_SECONDS_BETWEEN_LOOKS = 0.02
_SECONDS_BETWEEN_REPORTS = 10.0


class Server:
    """Serves a WSGI application on a bound socket.

    `readiness` and `admission` are the application's `extensions` of these names, if it has such.
    """

    def __init__(self, app: Any, sock: socket.socket, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.port: int = sock.getsockname()[1]
        extensions = getattr(app, "extensions", {})
        self.readiness: Readiness = extensions.get("readiness") or Readiness()
        self.admission = Admission(settings.threads, settings.max_waiting, settings.max_per_client)
        extensions["admission"] = self.admission
        self._lanes = Lanes(settings, self.admission)
        self._listener = Listener(app, sock, settings, self._lanes)
        self._stop_at = self._looked_at = self._reported_at = 0.0
        self._refusing = self._aborted = self._ended = False
        self._reported = 0

    def stop(self) -> None:
        """Begin to stop; from any thread or signal handler, more than once. `run` returns when it is done."""
        if not self._stop_at:
            self._stop_at = time.monotonic()
            self.readiness.stop()
            # Without a pause nobody is told to go before nobody else can come in.
            self._listener.stopping = self.settings.stop_pause > 0
        self._wake()

    def abort(self) -> None:
        """Let `run` return at once, with whatever is unanswered."""
        self.stop()
        self._aborted = True
        self._wake()

    def run(self) -> bool:
        """Serve until `stop`; whether everybody who was there got an answer, and every thread has ended."""
        return_large_blocks()
        try:
            while not self._done():
                self._listener.step(_TICK_OF_A_STOP if self._stop_at else _TICK)
                self._look_after(time.monotonic())
        finally:
            unanswered = self._listener.unanswered()
            self._ended = True
            self._listener.close_all()
            threads = self._lanes.shutdown(timeout=0.1 if self._aborted else 1.0)
            self._listener.close()
        if unanswered:
            logger.warning("stopped with %d requests unanswered", unanswered)
        return threads and not unanswered

    def _done(self) -> bool:
        """Do the next part of a stop, if one was asked for; whether it is over."""
        if not self._stop_at:
            return False
        waited = time.monotonic() - self._stop_at - self.settings.stop_pause
        if waited < 0 and not self._aborted:
            return False
        if not self._refusing:
            self._refusing = True
            self._listener.refuse_new()
        if waited < LET_IN_SECONDS and not self._aborted:
            return False
        if self._listener.accepting:
            self._listener.stop_listening()
        self._listener.close_idle()
        nobody = not (self._listener.active_channels or self.admission.inside)
        return nobody or self._aborted or waited >= self.settings.stop_timeout

    def _look_after(self, now: float) -> None:
        if now - self._looked_at >= _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self._listener.look_after(now)
            self._report(now)

    def _report(self, now: float) -> None:
        """A line for the operator if requests were refused since the last look."""
        if now - self._reported_at >= _SECONDS_BETWEEN_REPORTS:
            self._reported_at = now
            refused = self.admission.refused.total()
            if refused > self._reported:
                logger.warning("overloaded: %d requests refused since the last such line", refused - self._reported)
            self._reported = refused

    def _wake(self) -> None:
        if not self._ended:
            self._listener.wake()
