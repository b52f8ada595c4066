"""Several server processes that share their listening sockets.

The parent process starts, restarts and stops the child processes, and serves no request. A child that dies loses only
its own requests. The children are spawned, not forked, on every platform.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import shutil
import socket
import tempfile
import time
import typing as t

from ..shared.observability.metrics import forget_process
from ..shared.settings import Settings
from .application import StartError
from .balance import Balance
from .worker_process import FAILED, LOG, MODELS, MODELS_DONE, READY, serve_in_child

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

logger = logging.getLogger("wsgi_core.serving")

_SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
# Seconds that the parent waits for messages before it checks for due restarts.
_TICK = 0.25
# A child that died is restarted after `_FIRST_BACKOFF` seconds. After each further death, the time doubles, up to
# `_MAX_BACKOFF`. If the child has run for `_STABLE_UPTIME` seconds, the time is `_FIRST_BACKOFF` again.
_FIRST_BACKOFF, _MAX_BACKOFF, _STABLE_UPTIME = 0.1, 30.0, 60.0
# A child may take this many seconds longer to stop than the settings allow.
_GRACE = 5.0


class Child:
    """A child process. `pipe` is the parent's end of the pipe. `ready` is true when the child has loaded the
    application.
    """

    def __init__(
        self, number: int, socks: list[socket.socket], settings: Settings, log: str | None, balance: Balance
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.number = number
        self.pipe: Connection
        self.pipe, child_end = context.Pipe()
        self.process = context.Process(
            target=serve_in_child,
            args=(number, socks, settings, log, child_end, balance.connections_of(number)),
            name=f"wsgi-core-{number}",
        )
        self.process.start()
        child_end.close()
        self.started = time.monotonic()
        self.ready = False

    def send(self, *message: t.Any) -> None:
        """Send the child a message. If the child has exited, do nothing."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def close(self) -> None:
        """Free the parent's resources for a child that has exited."""
        self.pipe.close()
        forget_process(t.cast(int, self.process.pid))
        self.process.close()


class Processes:
    """Serves with `settings.processes` child processes on bound sockets. `log` is explained in `command.make_server`.

    The constructor returns when all children are ready. If a child cannot start, the constructor kills all children and
    raises StartError.
    """

    def __init__(self, socks: list[socket.socket], settings: Settings, log: str | None = None) -> None:
        self.settings = settings
        self.port: int = socks[0].getsockname()[1]
        self.about = ""
        self._socks = socks
        for sock in socks:
            # On Windows, multiprocessing duplicates the socket for a child, and sets the duplicate's blocking mode to
            # that of the original. Under wine, all processes share the mode: accept() of a running child would block.
            sock.setblocking(False)
        self._log = log
        self._metrics = _shared_metrics()
        self._restarts: dict[int, tuple[float, float]] = {}  # child number -> time of the restart, last backoff
        self._changes: dict[tuple[int, int], set[int]] = {}  # change -> children that have not applied it
        self._stop_at = 0.0
        self._aborted = False
        self._unanswered = False
        count = process_count(settings)
        self._balance = Balance(count)
        self._children = {number: self._start(number) for number in range(count)}
        try:
            self._wait_until_ready()
        except BaseException:
            self._kill_all()
            raise

    def stop(self) -> None:
        """Begin to stop. `run` returns when the stop is complete. Any thread or signal handler may call `stop`."""
        if not self._stop_at:
            self._stop_at = time.monotonic()

    def abort(self) -> None:
        """Stop without waiting for unanswered requests. Any thread or signal handler may call `abort`."""
        self.stop()
        self._aborted = True

    def run(self) -> bool:
        """Serve until `stop` is called. Return whether all children have exited with code 0 after the stop.

        A child exits with code 0 if it has answered all its requests and all its threads have ended.
        """
        try:
            while not self._stop_at:
                self._step()
            self._stop_children()
        finally:
            self._kill_all()
        return not self._unanswered

    def _step(self) -> None:
        self._read_all()
        for number, (at, _) in list(self._restarts.items()):
            if time.monotonic() >= at and number not in self._children:
                self._children[number] = self._start(number)

    def _start(self, number: int) -> Child:
        return Child(number, self._socks, self.settings, self._log, self._balance)

    # Messages

    def _read_all(self) -> None:
        """Wait at most `_TICK` seconds for messages. Handle one message from each child that has sent messages."""
        pipes: list[t.Any] = [child.pipe for child in self._children.values()]
        if not pipes:
            time.sleep(_TICK)
        for pipe in multiprocessing.connection.wait(pipes, _TICK):
            for child in [child for child in self._children.values() if child.pipe is pipe]:
                self._read(child)

    def _read(self, child: Child) -> None:
        """Handle one message from `child`. If the pipe is closed, handle the exit of `child`."""
        try:
            kind, *rest = child.pipe.recv()
        except (EOFError, OSError):
            self._handle_exit(child)
            return
        if kind == READY:
            child.ready = True
            self.about = rest[0]
            if child.number in self._restarts:
                child.send("serve")
        elif kind == FAILED:
            message, code = rest
            if child.number not in self._restarts:
                raise StartError(message, code)
            logger.error("server process %d cannot start again: %s", child.number + 1, message)
        elif kind == LOG:
            level, text = rest
            logger.log(level, "server process %d: %s", child.number + 1, text)
        elif kind == MODELS:
            self._forward_change(child, *rest)
        elif kind == MODELS_DONE:
            self._record_applied(child, *rest)

    def _forward_change(self, child: Child, change: int, action: str, args: tuple[t.Any, ...]) -> None:
        """Send a change of the models (load, unload or reload) from `child` to the other children that are ready.

        `child` gets MODELS_DONE when each of these children has tried the change or has exited.
        """
        others = [other for other in self._children.values() if other is not child and other.ready]
        self._changes[child.number, change] = {other.number for other in others}
        for other in others:
            other.send(MODELS, (child.number, change), action, args)
        self._confirm_changes()

    def _record_applied(self, child: Child, change: tuple[int, int]) -> None:
        self._changes.get(change, set()).discard(child.number)
        self._confirm_changes()

    def _confirm_changes(self) -> None:
        for change in [change for change, missing in self._changes.items() if not missing]:
            del self._changes[change]
            if child := self._children.get(change[0]):
                child.send(MODELS_DONE, change[1])

    # The life of children

    def _wait_until_ready(self) -> None:
        """Wait until every child has loaded the application. Then tell all children to accept connections.

        Raises StartError if a child cannot start or `stop` is called.
        """
        while not all(child.ready for child in self._children.values()):
            if self._stop_at:
                raise StartError("the server was stopped during its start", 1)
            self._step()
        for child in self._children.values():
            child.send("serve")

    def _handle_exit(self, child: Child) -> None:
        """Handle the exit of a child. If the process has not ended after `_GRACE` seconds, kill it.

        Unless the server is stopping, schedule a restart. If the first start of this child has failed, raises
        StartError instead.
        """
        child.process.join(_GRACE)
        if child.process.is_alive():  # a thread of the application keeps the process alive
            child.process.kill()
            child.process.join()
        code = child.process.exitcode
        del self._children[child.number]
        self._balance.connections_of(child.number).stop()
        for missing in self._changes.values():
            missing.discard(child.number)
        self._confirm_changes()
        if self._stop_at:
            self._unanswered |= code != 0
            child.close()
            return
        if not child.ready and child.number not in self._restarts:
            child.close()
            raise StartError(f"a server process ended while it was starting (exit code {code})", 1)
        uptime = time.monotonic() - child.started
        _, before = self._restarts.get(child.number, (0.0, 0.0))
        backoff = _FIRST_BACKOFF if uptime >= _STABLE_UPTIME or not before else min(before * 2, _MAX_BACKOFF)
        self._restarts[child.number] = time.monotonic() + backoff, backoff
        logger.error(
            "server process %d (pid %d) ended with exit code %s, and restarts in %.1f s",
            child.number + 1, child.process.pid, code, backoff,
        )  # fmt: skip
        child.close()

    def _stop_children(self) -> None:
        """Tell every child to stop, and wait until all children have exited or the time for the stop has passed.

        If `abort` is called meanwhile, tell every child to abort, and wait at most one more second.
        """
        for child in self._children.values():
            child.send("stop")
        # The children keep the socket open while connections wait in its backlog.
        for sock in self._socks:
            sock.close()
        until = self._stop_at + self.settings.stop_pause + self.settings.stop_timeout + _GRACE
        aborted = False
        while self._children and time.monotonic() < until:
            if self._aborted and not aborted:
                aborted = True
                until = min(until, time.monotonic() + 1.0)
                for child in self._children.values():
                    child.send("abort")
            self._read_all()
        self._unanswered |= bool(self._children)

    def _kill_all(self) -> None:
        """Kill the children that still run, close the sockets, and delete the directory of `_shared_metrics`."""
        for child in self._children.values():
            if child.process.is_alive():
                child.process.kill()
            child.process.join(_GRACE)
            child.close()
        self._children.clear()
        for sock in self._socks:
            sock.close()
        if self._metrics:
            shutil.rmtree(self._metrics, ignore_errors=True)
            os.environ.pop(_SHARED_METRICS, None)


def process_count(settings: Settings) -> int:
    """Return the number of server processes. `auto` means one process for each CPU core that this process may use."""
    return _cores() if settings.processes == "auto" else settings.processes


def _cores() -> int:
    """Return the number of CPU cores that this process may use. If the system does not tell, return the number of all
    cores.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shared_metrics() -> str:
    """Create a temporary directory for the children's metrics, and set PROMETHEUS_MULTIPROC_DIR to its path.

    Return the path. If the environment variable is already set, do nothing and return an empty string.
    """
    if os.environ.get(_SHARED_METRICS):
        return ""
    os.environ[_SHARED_METRICS] = folder = tempfile.mkdtemp(prefix="wsgi-core-metrics-")
    return folder
