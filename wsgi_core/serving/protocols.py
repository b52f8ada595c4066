"""What the parts of the server know of each other, and what an application tells the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from .admission import Permit

if TYPE_CHECKING:
    from .channel import Channel
    from .poller import Poller
    from .site import Site

Environ = dict[str, Any]

StartResponse = Callable[..., Any]

WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

HeadJudge = Callable[[Environ], WSGIApplication | None]
"""Judges a request by its head, before the first byte of its body is read. Called on the I/O thread: it must not block.

The environ is complete but for `wsgi.input`. The result is a WSGI application that answers the request at once (a
Werkzeug Response or HTTPException is one), or None: the body is read, and the request takes its usual way.
"""


class Watched(Protocol):
    """A socket that the poller watches. All methods are called on the I/O thread."""

    def fileno(self) -> int:
        """Return the file descriptor, the same until the poller has removed it."""

    def handle_read(self) -> None:
        """Read, or accept."""

    def handle_write(self) -> None:
        """Send what is unsent."""

    def handle_hangup(self) -> None:
        """Look at a connection that was reset, or whose both directions are closed."""

    def close(self) -> None:
        """Close the socket: something went wrong with it."""


class ChannelOwner(Protocol):
    """The listener, as its connections see it."""

    site: Site
    poller: Poller
    environ: Environ
    monitoring_only: bool

    def should_close(self) -> bool:
        """Return whether a response that begins now is to be the last of its connection. Any thread may ask."""

    def crowded(self) -> bool:
        """Return whether more connections are open than there should be."""

    def forget(self, channel: Channel) -> None:
        """Take note that a connection is being closed."""


class Client(Protocol):
    """A connection, as a worker thread sees it while it answers a request."""

    connected: bool
    blocked_since: float

    def wait_drained(self) -> None:
        """Wait until the client has taken most of what is unsent, or is gone."""

    def abort(self) -> None:
        """Have the I/O thread close the connection."""


class Queued(Protocol):
    """A request that is complete, as the dispatcher sees it."""

    client: str
    permit: Permit | None
    monitoring: bool
    body_size: int
    received_at: float

    def service(self) -> None:
        """Call the application and send its response. On a worker thread."""

    def expire(self) -> None:
        """Answer that the request has waited too long."""

    def may_wait(self, limit: float) -> float:
        """Return the seconds that the request may wait for a thread, at most `limit`."""


class RunningServer(Protocol):
    """What can be run and stopped: a `Server`, or the parent of several server processes."""

    port: int

    def run(self) -> bool: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...
