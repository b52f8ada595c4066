"""How many files the process may have open, of which each connection is one: raised where it may be."""

from __future__ import annotations

try:
    import resource
except ImportError:  # on Windows, where nothing is counted so
    resource = None  # type: ignore[assignment]


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
