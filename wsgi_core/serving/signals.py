"""Stop the server on a signal, such as SIGINT (Ctrl-C). On Windows, also stop the server when its console is closed."""

from __future__ import annotations

import signal
import sys
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from .protocols import RunningServer

# Only Windows has SIGBREAK. Other systems have SIGHUP, which is sent when the terminal is closed.
_STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
_HANG_UP: int | None = getattr(signal, "SIGHUP", None)


@contextmanager
def stop_on_signals(server: RunningServer) -> Iterator[None]:
    """Handle signals while the context is active: the first signal stops ``server``, and the second ends it at once.

    A SIGHUP after another signal has no effect. Python handles signals only in the main thread. In another thread, the
    context does nothing, and the caller must call `stop`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping = False

    def handle(signum: int, frame: object) -> None:
        nonlocal stopping
        if stopping and signum != _HANG_UP:
            server.abort()
        else:
            server.stop()
        stopping = True

    before = {number: signal.signal(number, handle) for number in _handled_signals()}
    ended = threading.Event()
    remove_handler = _on_closed_console(server, ended)
    try:
        yield
    finally:
        ended.set()
        remove_handler()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_closed_console(server: RunningServer) -> Iterator[None]:
    """Stop ``server`` when its console is closed (Windows). Signals are not handled."""
    ended = threading.Event()
    remove_handler = _on_closed_console(server, ended)
    try:
        yield
    finally:
        ended.set()
        remove_handler()


def _handled_signals() -> list[int]:
    """Return the signals to handle. SIGHUP is left out if it is ignored, as it is under nohup."""
    if _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
        return _STOP_SIGNALS
    return [*_STOP_SIGNALS, _HANG_UP]


def _on_closed_console(server: RunningServer, ended: threading.Event) -> t.Callable[[], None]:
    """Stop the server when its console is closed, the user logs off or Windows shuts down.

    Return a function that removes the handler. On other systems than Windows, there is no handler.

    Windows ends the process when the handler returns, or after 5 seconds. Source: SetConsoleCtrlHandler and
    HandlerRoutine in Microsoft's documentation of consoles.
    """
    if sys.platform != "win32":
        return lambda: None
    import ctypes

    close, logoff, shutdown = 2, 5, 6

    def handle(event: int) -> bool:
        if event not in (close, logoff, shutdown):
            return False
        server.stop()
        ended.wait()
        return True

    kernel32 = ctypes.WinDLL("kernel32")
    routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handle)
    kernel32.SetConsoleCtrlHandler(routine, 1)
    return lambda: kernel32.SetConsoleCtrlHandler(routine, 0)
