"""Who may ask the server to stop: signals, Ctrl-C and Ctrl-Break, and on Windows a console that is closed."""

from __future__ import annotations

import signal
import sys
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from .protocols import RunningServer

# Windows has SIGBREAK, others have SIGHUP, which a closed terminal sends.
_AT_ONCE_THE_SECOND_TIME = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
]
_HANG_UP: int | None = getattr(signal, "SIGHUP", None)


@contextmanager
def stop_on_signals(server: RunningServer) -> Iterator[None]:
    """Inside: the first signal stops ``server``, the second ends it at once.

    In another thread than the main one there are no signals, and whoever runs the server there calls `stop` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(signum: int, frame: object) -> None:
        nonlocal asked
        if asked and signum != _HANG_UP:
            server.abort()
        else:
            server.stop()
        asked = True

    before = {number: signal.signal(number, handle) for number in _wanted()}
    ended = threading.Event()
    forget = _on_closed_console(server, ended)
    try:
        yield
    finally:
        ended.set()
        forget()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_closed_console(server: RunningServer) -> Iterator[None]:
    """Stop ``server`` when the console window is closed (Windows), and on no signal."""
    ended = threading.Event()
    forget = _on_closed_console(server, ended)
    try:
        yield
    finally:
        ended.set()
        forget()


def _wanted() -> list[int]:
    """Return the signals to handle; a hang-up that was to be ignored (nohup) still is."""
    if _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
        return _AT_ONCE_THE_SECOND_TIME
    return [*_AT_ONCE_THE_SECOND_TIME, _HANG_UP]


def _on_closed_console(server: RunningServer, ended: threading.Event) -> t.Callable[[], None]:
    """Stop when the console window is closed, or the user logs off: Windows ends the process when this returns.

    Source: SetConsoleCtrlHandler and HandlerRoutine in Microsoft's documentation of consoles; 5 seconds are allowed.
    What is returned takes the handler away again.
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
