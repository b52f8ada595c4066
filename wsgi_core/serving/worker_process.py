"""A child process of `processes.Processes`: loads the application and serves on the parent's sockets.

Messages are tuples that begin with their kind. The child sends READY with a description of the application, FAILED with
a text and an exit code, and LOG with a level and a text. The parent sends "serve", "stop" and "abort".

A child that changes its models sends MODELS. The parent sends MODELS to the other children, which answer MODELS_DONE.
When all have answered, the parent sends MODELS_DONE to the first child.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import typing as t

from ..shared.observability.logs import log_level, log_to_handlers, log_to_stderr, rotating_file
from ..shared.observability.metrics import share_server_metrics
from ..shared.settings import Settings
from .application import StartError, describe, load_application
from .balance import ConnectionCount
from .limits import freeze_gc
from .server import Server, serve_application
from .signals import stop_on_closed_console

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY, FAILED, LOG, MODELS, MODELS_DONE = "ready", "failed", "log", "models", "models done"

# A request that changes the models waits at most this many seconds for the other processes.
_APPLY_SECONDS = 60.0

logger = logging.getLogger("wsgi_core.serving")


class ParentConnection:
    """The child's end of the pipe to the parent. Any thread may send messages.

    The event `serve` is set when the parent sends "serve", "stop" or "abort", or when the parent exits.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._send_lock = threading.Lock()
        self._waiting: dict[int, threading.Event] = {}
        self._server: Server | None = None
        self._models: t.Any = None
        self.serve = threading.Event()

    def send(self, *message: t.Any) -> None:
        """Send the parent a message. If the parent has exited, do nothing."""
        with self._send_lock, contextlib.suppress(OSError):
            self._pipe.send(message)

    def handle_messages(self, server: Server, models: t.Any) -> None:
        """Start a thread that handles the parent's messages."""
        self._server, self._models = server, models
        threading.Thread(target=self._read, name="parent", daemon=True).start()

    def broadcast(self, action: str, args: tuple[t.Any, ...]) -> None:
        """Call the method `action` of the model repository with `args` in all other server processes.

        Return when each of these processes has tried the call or has exited, or after `_APPLY_SECONDS` seconds.
        """
        done = threading.Event()
        change = id(done)
        self._waiting[change] = done
        self.send(MODELS, change, action, args)
        if not done.wait(_APPLY_SECONDS):
            logger.error("not all other server processes have confirmed a change of the models in time")
        del self._waiting[change]

    def _read(self) -> None:
        while True:
            try:
                kind, *rest = self._pipe.recv()
            except (EOFError, OSError):  # the parent has exited
                self._handle_command("stop")
                return
            if kind == MODELS:
                threading.Thread(target=self._apply_change, args=rest, name="models", daemon=True).start()
            elif kind == MODELS_DONE:
                if done := self._waiting.get(rest[0]):
                    done.set()
            else:
                self._handle_command(kind)

    def _handle_command(self, kind: str) -> None:
        assert self._server is not None
        if kind == "stop":
            self._server.stop()
        elif kind == "abort":
            self._server.abort()
        self.serve.set()

    def _apply_change(self, change: tuple[int, int], action: str, args: tuple[t.Any, ...]) -> None:
        try:
            getattr(self._models, action)(*args)
        except Exception as error:  # the process that got the request reports its own error to the client
            logger.warning("a change of the models has failed in this process: %s", error)
        self.send(MODELS_DONE, change)


class ReplicatedModels:
    """A proxy for a model repository. It repeats each `load`, `unload` and `reload` in the other server processes.

    A change that fails in this process is repeated, too.
    """

    def __init__(self, repository: t.Any, parent: ParentConnection) -> None:
        self._repository = repository
        self._parent = parent

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._repository, name)

    def reload(self) -> t.Any:
        """Reload the models here, then in the other processes. Return the result of the repository's `reload`."""
        return self._change("reload")

    def load(self, name: str) -> t.Any:
        """Load a model here, then in the other processes. Return the result of the repository's `load`."""
        return self._change("load", name)

    def unload(self, name: str) -> None:
        """Unload a model here, then in the other processes."""
        self._change("unload", name)

    def _change(self, action: str, *args: t.Any) -> t.Any:
        try:
            return getattr(self._repository, action)(*args)
        finally:
            self._parent.broadcast(action, args)


class ParentLogHandler(logging.Handler):
    """A log handler that sends warnings and errors to the parent."""

    def __init__(self, parent: ParentConnection) -> None:
        super().__init__(logging.WARNING)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        """Send the level and the formatted text of a record."""
        self._parent.send(LOG, record.levelno, self.format(record))


def serve_in_child(
    number: int,
    socks: list[socket.socket],
    settings: Settings,
    log: str | None,
    pipe: Connection,
    count: ConnectionCount,
) -> None:
    """Load the application, and serve until the parent sends "stop" or "abort", or exits. Then end this process.

    The exit code is 0 if no accepted request is unanswered and all threads have ended. `command.make_server` explains
    `log`.
    """
    # The parent stops this process. If a signal stopped the process, it would make the sockets of all processes refuse
    # new connections.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = ParentConnection(pipe)
    _configure_log(number, log, settings, parent)
    try:
        app = load_application(settings)
    except StartError as error:
        parent.send(FAILED, str(error), error.code)
        logging.shutdown()
        os._exit(error.code)  # a thread that the application has started would keep the process alive
    models = _replicate_changes(app, parent)
    server = serve_application(app, socks, settings, count)
    share_server_metrics(server)
    freeze_gc()
    parent.handle_messages(server, models)
    parent.send(READY, describe(app, settings))
    parent.serve.wait()
    with stop_on_closed_console(server):
        complete = server.run()
    logging.shutdown()
    sys.stdout.flush()
    # A thread may still be in the model runtime, and the interpreter's normal exit cannot interrupt it.
    os._exit(0 if complete else 1)


def _configure_log(number: int, log: str | None, settings: Settings, parent: ParentConnection) -> None:
    level = log_level(settings.access_log)
    if log is None:
        log_to_stderr(level, settings.log_format)
        return
    stem, extension = os.path.splitext(log)
    files = [rotating_file(f"{stem}-{number + 1}{extension}")] if log else []
    log_to_handlers([ParentLogHandler(parent), *files], level, settings.log_format)


def _replicate_changes(app: t.Any, parent: ParentConnection) -> t.Any:
    models = getattr(app, "extensions", {}).get("models")
    if models is not None:
        app.extensions["models"] = ReplicatedModels(models, parent)
    return models
