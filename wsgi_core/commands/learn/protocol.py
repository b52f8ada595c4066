"""A WSGI middleware that finds violations of PEP 3333 in a learner's program, even if servers accept them."""

from __future__ import annotations

import typing as t
import warnings
from collections.abc import Iterable
from wsgiref.validate import WSGIWarning, validator

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# wsgiref's validator requires a content type, but servers do not. This value stands for a missing content type.
_NO_TYPE = "application/x-none"


class Input:
    """A `wsgi.input` that adds a text to `broken` for each read that could go beyond the `length` of the body.

    On some servers, such a read waits forever.
    """

    def __init__(self, stream: t.Any, length: int, broken: list[str]) -> None:
        self._stream = stream
        self._left = length
        self._broken = broken

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes. Without a size, return the rest of the body.

        A read without a size, or beyond the end of the body, is recorded in `broken`.
        """
        if size is None or size < 0:
            self._broken.append(
                "wsgi.input was read without a length. On some servers, such a read waits forever. Read as many bytes"
                " as CONTENT_LENGTH says."
            )
        elif size > self._left:
            self._broken.append(
                f"{size} bytes were read from wsgi.input, but the body had only {self._left} left. On some servers,"
                " such a read waits forever."
            )
        size = self._left if size is None or size < 0 else min(size, self._left)
        self._left -= size
        return t.cast(bytes, self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        """Return the result of `read`, even if it is more than one line.

        The programs of the course do not read lines.
        """
        return self.read(size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return a list with the result of `read` as its only item."""
        return [self.read(hint)]

    def __iter__(self) -> t.Iterator[bytes]:
        return iter(self.readlines())


class StrictServer:
    """A WSGI application that passes each request to `application`, and checks `application` against PEP 3333.

    `broken` lists the violations that wsgiref's validator does not detect.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.broken: list[str] = []
        self._application = application
        self._validated = validator(self._with_checks)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application.

        Raises AssertionError or WSGIWarning if wsgiref's validator finds a violation during the call.
        """

        def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            return start_response(status, [each for each in headers if each[1] != _NO_TYPE], exc_info)

        with warnings.catch_warnings():
            warnings.simplefilter("error", WSGIWarning)
            return self._validated(environ, start)

    def _with_checks(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        calls = 0

        def start(status: str, headers: list[tuple[str, str]], *exc_info: t.Any) -> t.Any:
            nonlocal calls
            calls += 1
            if calls > 1 and not exc_info:
                self.broken.append("start_response was called twice. It may be called once for each request.")
            return start_response(status, _with_type(status, headers), *exc_info)

        length = environ.get("CONTENT_LENGTH") or "0"
        environ["wsgi.input"] = Input(environ["wsgi.input"], int(length), self.broken)
        return self._application(environ, start)


def _with_type(status: t.Any, headers: t.Any) -> t.Any:
    """Return the headers. If they have no content type and the status is not 204 or 304, add `_NO_TYPE`.

    Headers that are not a list are returned unchanged, so that the validator rejects them.
    """
    if type(headers) is not list or str(status)[:3] in ("204", "304"):
        return headers
    names = [str(each[0]).lower() for each in headers if type(each) is tuple and each]
    return headers if "content-type" in names else [*headers, ("Content-Type", _NO_TYPE)]
