"""Settings of the process: open files, connections, garbage collection, and malloc."""

from __future__ import annotations

import gc
import sys

from ..shared.linux import set_mmap_threshold
from ..shared.settings import Settings

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

# select() on Windows takes at most 512 sockets. The server accepts about 25 % more connections than the limit, and
# needs a listening socket and a socket that wakes the event loop.
_WINDOWS_CONNECTIONS = 400
# The limit with a monitoring port, because the same select() watches the connections of this port.
_WINDOWS_CONNECTIONS_BESIDE_MONITORING = 320
# One file descriptor for the socket, and one for the temporary file of a body that does not fit into memory.
_FILES_A_CONNECTION = 2
_OTHER_FILES = 100
_LARGE_BLOCK = 1 << 20


def freeze_gc() -> None:
    """Exclude all existing objects from later garbage collections.

    Models and modules live as long as the process. A full collection that visits them would block all threads for
    longer.
    """
    gc.collect()
    gc.freeze()


def return_large_blocks() -> bool:
    """Make the C library return freed blocks of 1 MiB or more to the operating system. Return whether this is
    supported.
    """
    return set_mmap_threshold(_LARGE_BLOCK)


def connection_limit(settings: Settings, platform: str) -> int:
    """Return how many connections the system allows, at most `max_connections`. `platform` is the value of
    `sys.platform`.

    Except on Windows, raise the process' limit of open files first, if necessary.
    """
    if platform == "win32":
        most = _WINDOWS_CONNECTIONS if settings.monitor_port is None else _WINDOWS_CONNECTIONS_BESIDE_MONITORING
        return min(settings.max_connections, most)
    wanted = _FILES_A_CONNECTION * with_headroom(settings.max_connections) + _OTHER_FILES
    if (files := raise_open_files(wanted)) >= wanted:
        return settings.max_connections
    return max(1, (files - _OTHER_FILES) // _FILES_A_CONNECTION * 4 // 5 - 1)  # the inverse of `wanted`, rounded down


def with_headroom(connections: int) -> int:
    """Return how many connections are accepted if the limit is `connections`: about 25 % more than the limit."""
    return connections + 1 + connections // 4


def raise_open_files(wanted: int) -> int:
    """Raise the process' limit of open files to `wanted`, or as far as allowed.

    Return how many files may be open, at most `wanted`.
    """
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _at_least(soft, wanted):
        return wanted
    allowed = wanted if _at_least(hard, wanted) else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # macOS has further limits
        return soft
    return allowed


def _at_least(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted


def select_limit() -> int:
    """Return how many connections a stopping server may have. On Windows, select() limits the number.

    On other systems, return `sys.maxsize`.
    """
    return with_headroom(_WINDOWS_CONNECTIONS_BESIDE_MONITORING) if sys.platform == "win32" else sys.maxsize
