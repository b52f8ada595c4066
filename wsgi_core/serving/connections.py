"""How many connections there may be: as many as were asked for, if the system lets the process have them."""

from __future__ import annotations

from ..shared.settings import Settings

try:
    import resource
except ImportError:  # on Windows, where nothing is counted so
    resource = None  # type: ignore[assignment]

# A process on Windows can wait for 512 sockets at most; the rest is for guests, the listener and its like.
_WINDOWS_CONNECTIONS = 400
# One for the client, one for a body that does not fit into memory.
_FILES_A_CONNECTION = 2
_OTHER_FILES = 100


def connection_limit(settings: Settings, platform: str) -> int:
    """How many there should be on a ``platform`` (`sys.platform`), after asking it for enough files."""
    if platform == "win32":
        return min(settings.max_connections, _WINDOWS_CONNECTIONS)
    wanted = _FILES_A_CONNECTION * with_guests(settings.max_connections) + _OTHER_FILES
    if (files := raise_open_files(wanted)) >= wanted:
        return settings.max_connections
    return max(1, (files - _OTHER_FILES) // _FILES_A_CONNECTION * 4 // 5 - 1)  # the inverse, rounded down


def with_guests(connections: int) -> int:
    """How many there may be while some of them go, see `Listener`."""
    return connections + 1 + connections // 4


def raise_open_files(wanted: int) -> int:
    """Raise the process's own limit to ``wanted``, as far as its owner may; how many of these may be open then."""
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _at_least(soft, wanted):
        return wanted
    allowed = wanted if _at_least(hard, wanted) else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # macOS has limits of its own besides
        return soft
    return allowed


def _at_least(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted
