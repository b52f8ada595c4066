"""Stops the server on a signal, such as SIGINT (Ctrl-C), and on Windows also when its console is closed."""

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
    """While the context is active, the first stop signal calls `server.stop`, and each further one calls
    `server.abort`.

    The stop signals are SIGTERM, SIGINT, SIGBREAK (Windows) and SIGHUP. A further SIGHUP has no effect, and an ignored
    SIGHUP stays ignored. On Windows, closing the console also stops the server. In a thread other than the main thread,
    the context does nothing, because Python handles signals only in the main thread.
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
    """On Windows, stop `server` when its console is closed while the context is active. Signals are not handled."""
    ended = threading.Event()
    remove_handler = _on_closed_console(server, ended)
    try:
        yield
    finally:
        ended.set()
        remove_handler()


def _handled_signals() -> list[int]:
    """Return the signals to handle. If SIGHUP is ignored, as under nohup, it is left out."""
    if _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
        return _STOP_SIGNALS
    return [*_STOP_SIGNALS, _HANG_UP]


def _on_closed_console(server: RunningServer, ended: threading.Event) -> t.Callable[[], None]:
    """On Windows, install `console_handler`. Return a function that removes the handler."""
    if sys.platform != "win32":
        return lambda: None
    import ctypes

    kernel32 = ctypes.WinDLL("kernel32")
    routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(console_handler(server, ended))
    kernel32.SetConsoleCtrlHandler(routine, 1)
    return lambda: kernel32.SetConsoleCtrlHandler(routine, 0)


def console_handler(server: RunningServer, ended: threading.Event) -> t.Callable[[int], bool]:
    """Return a function for SetConsoleCtrlHandler, which stops the server if the console is closed or Windows shuts
    down.

    The function then waits for `ended`. Windows ends the process when the function returns, or after a timeout, by
    default 5 seconds. If a user logs off, a server that runs as a service continues, but Windows ends a server in the
    console of this user. Source: HandlerRoutine in Microsoft's documentation of consoles.
    """
    close, logoff, shutdown = 2, 5, 6

    def handle(event: int) -> bool:
        if event in (close, shutdown):
            server.stop()
            ended.wait()
        return event in (close, logoff, shutdown)

    return handle
