"""The receiver of a chunked body (RFC 9112, section 7.1). Only the grammar of the RFC is accepted.

Otherwise, the server and a proxy could disagree about where the next request begins (request smuggling).
"""

from __future__ import annotations

import re
from typing import Any, Literal

MAX_CHUNK_LINE = 1024
"""The maximum number of bytes in the line with a chunk's size and extensions, including CRLF."""

MAX_TRAILERS = 8192
"""The maximum number of bytes in all trailers together."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*\r\n" % (_TOKEN, _TOKEN, _QUOTED)
)
_TRAILER = re.compile(rb"%b:[\t -~\x80-\xff]*\r\n" % _TOKEN)

# The part of the body that comes next.
_Part = Literal["size", "data", "end of data", "trailer"]


class ChunkedBody:
    """The receiver of one chunked body, which writes the decoded data to `buffer`.

    `error` is the reason why the body is not valid, or None.
    """

    def __init__(self, buffer: Any) -> None:
        self.buf = buffer
        self.completed = False
        self.error: str | None = None
        self._next: _Part = "size"
        self._left = 0
        self._line = b""
        self._trailers = 0

    def received(self, data: bytes) -> int:
        """Parse `data` up to the end of the body or an error. Return how many bytes were parsed.

        Raises OSError if the buffer cannot store the data.
        """
        start = 0
        while start < len(data) and not self.completed and self.error is None:
            if self._next == "data":
                piece = data[start : start + self._left]
                self.buf.append(piece)
                self._left -= len(piece)
                if not self._left:
                    self._next = "end of data"
            else:
                end = data.find(b"\n", start) + 1
                piece = data[start:end] if end else data[start:]
                self._read_line(piece, complete=bool(end))
            start += len(piece)
        return start

    def getfile(self) -> Any:
        """Return a file object at the start of the decoded body."""
        return self.buf.getfile()

    def getbuf(self) -> Any:
        return self.buf

    def __len__(self) -> int:
        return len(self.buf)

    def _read_line(self, piece: bytes, complete: bool) -> None:
        line = self._line + piece
        if len(line) > (MAX_TRAILERS - self._trailers if self._next == "trailer" else MAX_CHUNK_LINE):
            self.error = "a chunk's size or the trailers are too long"
        elif complete:
            self._line = b""
            self._end_line(line)
        else:
            self._line = line

    def _end_line(self, line: bytes) -> None:
        if self._next == "size":
            self._begin_chunk(line)
        elif self._next == "end of data":
            self._next = "size"
            if line != b"\r\n":
                self.error = "a chunk is longer than its size"
        elif line == b"\r\n":
            self.completed = True
        elif _TRAILER.fullmatch(line):
            self._trailers += len(line)
        else:
            self.error = "a trailer is not valid"

    def _begin_chunk(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            self.error = "a chunk's size or an extension is not valid"
            return
        self._left = int(found[1], 16)
        self._next = "data" if self._left else "trailer"
