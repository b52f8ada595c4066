"""The work of a Windows service: read the settings, load the models, listen, and serve until the service is stopped."""

from __future__ import annotations

import logging
import os
import threading
import typing as t

from ...serving.application import EXIT_INVALID_SETTING, StartError
from ...serving.command import make_server
from ...shared.observability.logs import log_level, log_to_handlers, rotating_file
from ...shared.settings import Settings
from ...shared.settings.sources import ConfigurationError, load_settings

if t.TYPE_CHECKING:
    from ...serving.protocols import RunningServer

logger = logging.getLogger("wsgi_core.commands.windows")


class Events(t.Protocol):
    """A receiver of messages for the administrator, such as the event log of Windows."""

    def info(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...
    def error(self, text: str) -> None: ...


class Worker:
    """One run of the service.

    `arguments` are the service's name, the path of the log file or an empty string, and then `NAME=value` for each
    setting. `manager.command_line` writes these arguments.
    """

    def __init__(self, arguments: t.Sequence[str], events: Events) -> None:
        self._name, self._log, *words = arguments
        self._variables = dict(word.split("=", 1) for word in words)
        self._events = events
        self._server: RunningServer | None = None
        self._lock = threading.Lock()
        self.stopping = False
        """Whether `stop` has been called."""
        self.stop_milliseconds = 0
        """Milliseconds that a stop can take, or 0 if the settings have not been read yet."""

    def work(self, running: t.Callable[[], None]) -> int:
        """Serve until `stop` is called, and return the exit code.

        `running` is called when the models are loaded and clients can connect. Exit codes:

        - 0: every request was answered
        - 1: a request was not answered, a thread did not end, or an unexpected error prevented the start
        - 2: a setting is invalid, or the port is taken
        - 3: a model or the application cannot be loaded
        """
        try:
            server = self._prepare()
        except ConfigurationError as error:
            return self._refused(error, EXIT_INVALID_SETTING)
        except StartError as error:
            return self._refused(error, error.code)
        except Exception as error:
            logger.exception("cannot start")
            return self._refused(error, 1)
        running()
        self._events.info(f"{self._name} serves on port {server.port}")
        complete = server.run()
        self._events.info(f"{self._name} has stopped")
        return 0 if complete else 1

    def stop(self) -> None:
        """Begin to stop the server. Any thread may call this method.

        If the server does not exist yet, it will stop as soon as it exists.
        """
        with self._lock:
            self.stopping = True
            if self._server is not None:
                self._server.stop()

    def _prepare(self) -> RunningServer:
        settings = load_settings(environ={**os.environ, **self._variables}).settings
        self.stop_milliseconds = stop_milliseconds(settings)
        log_to(self._log, settings, self._events)
        server = make_server(settings, self._log)
        with self._lock:
            self._server = server
            if self.stopping:
                server.stop()
        return server

    def _refused(self, error: Exception, code: int) -> int:
        self._events.error(f"{self._name} cannot start: {error}")
        return code


def stop_milliseconds(settings: Settings) -> int:
    """Return the milliseconds that the service manager must wait for a stop of the server."""
    return int((settings.stop_pause + settings.stop_timeout + 5) * 1000)


def log_to(log: str, settings: Settings, events: Events) -> None:
    """Send warnings and errors to `events`. If `log` is not empty, also write the log to the file with this name."""
    handlers = [EventHandler(events), *([rotating_file(log)] if log else [])]
    log_to_handlers(handlers, log_level(settings.access_log), settings.log_format)


class EventHandler(logging.Handler):
    """A log handler that sends warnings and errors to an `Events` object."""

    def __init__(self, events: Events) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = self._events.error if record.levelno >= logging.ERROR else self._events.warning
            log(self.format(record))
        except Exception:
            self.handleError(record)
