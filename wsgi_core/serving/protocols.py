"""What the parts of the server know of each other, and what an application tells the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

Environ = dict[str, Any]

WSGIApplication = Callable[[Environ, Any], Iterable[bytes]]

HeadJudge = Callable[[Environ], WSGIApplication | None]
"""Judges a request by its head, before the first byte of its body is read. Called on the I/O thread: it must not block.

The environ is complete but for `wsgi.input`. The result is a WSGI application that answers the request at once (a
Werkzeug Response or HTTPException is one), or None: the body is read, and the request takes its usual way.
"""


class RunningServer(Protocol):
    """What can be run and stopped: a `Server`, or the parent of several server processes."""

    port: int

    def run(self) -> bool: ...
    def stop(self) -> None: ...
    def abort(self) -> None: ...
