"""The interfaces between the parts of the server, as protocols, and the types that applications use."""

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

HeadCheck = Callable[[Environ], WSGIApplication | None]
"""A function that checks the headers of a request before the body is read.

The function runs on the I/O thread and must not block. Its argument is the environ without `wsgi.input`. To reject the
request, the function returns the WSGI application that answers the request, such as a Werkzeug Response or
HTTPException. To accept the request, the function returns None.
"""


class Watched(Protocol):
    """A socket that the poller watches. All methods are called on the I/O thread."""

    def fileno(self) -> int:
        """Return the file descriptor, which must not change while the poller watches the socket."""

    def handle_read(self) -> None:
        """Read bytes, or accept connections."""

    def handle_write(self) -> None:
        """Send the unsent bytes."""

    def handle_hangup(self) -> None:
        """Handle a hangup or an error of the socket. If the socket is also readable, the poller calls `handle_read`
        instead.

        Some systems report a hangup even if the client has closed only its sending side.
        """

    def close(self) -> None:
        """Close the socket after an error."""


class ChannelOwner(Protocol):
    """The part of a `Listener` that its connections use."""

    site: Site
    poller: Poller
    environ: Environ
    monitoring_only: bool

    def should_close(self) -> bool:
        """Return whether a response that begins now must close its connection.

        Call this method only once for each response. Any thread may call this method.
        """

    def above_limit(self) -> bool:
        """Return whether more connections are open than the limit."""

    def remove(self, channel: Channel) -> None:
        """Remove `channel`, which is being closed, from the open connections."""


class Client(Protocol):
    """The part of a `Channel` that the dispatcher uses."""

    connected: bool
    blocked_since: float

    def wait_drained(self) -> None:
        """Wait until the client has read most of the unsent bytes, or until the connection is closed."""

    def abort(self) -> None:
        """Make the I/O thread close the connection."""


class Queued(Protocol):
    """The part of a `Task` that the dispatcher uses."""

    client: str
    permit: Permit | None
    monitoring: bool
    health: bool
    body_size: int
    received_at: float

    def service(self) -> None:
        """Call the application and send its response. Runs on a worker thread or on the leader (leader.py)."""

    def expire(self) -> None:
        """Answer 503, because the request has waited too long for a thread."""

    def has_expired(self, now: float, limit: float) -> bool:
        """Return whether the request has waited longer than `limit`, `request_timeout` or X-Request-Timeout, all in
        seconds.

        `now` is time.monotonic().
        """


class RunningServer(Protocol):
    """A server that can be run and stopped: a `Server`, or the parent of several server processes."""

    port: int

    def run(self) -> bool: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...
