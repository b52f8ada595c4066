"""One client's connection: waitress's channel, with JSON errors, an orderly end, and limits on slow clients."""

from __future__ import annotations

import socket
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from ..shared.deadlines import RECEIVED
from .admission import Ticket
from .errors import JSONErrorTask, Refusal, too_many_in_a_row
from .parser import Parser

# Seconds in which what a client still sends after the last answer is read and thrown away. Closing at once would
# reset the connection, and the reset can overtake the answer.
_LINGER = 2.0
# Bytes to read at once: so few that no more than some hundred requests or a thousand chunks can be in them, after which
# the I/O thread goes on to others; of a plain body as many as fit in.
_PIECE = 8 << 10
_READS_IN_A_TURN = 16
MAX_IN_A_ROW = 100
"""Requests that a client may send without awaiting an answer: each takes far more memory than its bytes."""


class Task(WSGITask):  # type: ignore[misc]
    """One call of the application."""

    wrote_header: bool

    def get_environment(self) -> dict[str, Any]:
        """The environ, with the time at which the request was whole."""
        environ: dict[str, Any] = super().get_environment()
        environ[RECEIVED] = self.request.received_at
        return environ

    def write(self, data: bytes) -> None:
        """Write; the head leaves in one piece with what comes first.

        A proxy that has passed on the head alone could ask nobody else if this process died just then.
        """
        if self.complete and not self.wrote_header:
            self.channel.head = self.build_response_header()
            self.wrote_header = True
        super().write(data)
        self.channel.send_head()

    def build_response_header(self) -> bytes:
        """The head of the answer, which may be the connection's last."""
        if self.channel.server.last_here():
            # As if the client had asked for it, whichever version of HTTP it speaks.
            self.request.headers["CONNECTION"] = "close"
        head: bytes = super().build_response_header()
        if self.content_length is not None:
            # The work is done. A client that reads fast must find this place free for its next request.
            self.channel.give_place_back()
        return head


class Channel(HTTPChannel):  # type: ignore[misc]
    """What waitress makes of an accepted connection.

    `client`: its address. `ticket`: its request's place. `refusals`: requests to be answered by whoever finds them.
    `head`: of the answer, for as long as nothing of its body has come.
    """

    task_class = Task
    error_task_class = JSONErrorTask
    parser_class = Parser
    request: Parser | None
    close_when_flushed: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.client = str(addr[0])
        self.ticket: Ticket | None = None
        self.refusals: list[Parser] = []
        self.head = b""
        self.linger_until = 0.0
        super().__init__(server, sock, addr, adj, map)

    @property
    def idle(self) -> bool:
        """Whether nothing is asked here, nothing is being sent, and nothing is left to send."""
        return not (self.requests or self.request or self.total_outbufs_len or self.close_when_flushed)

    def received(self, data: bytes) -> bool:
        """Take bytes, on the I/O thread."""
        taken = super().received(data) and not self._too_many_in_a_row()
        self._answer_refused()
        # Whose turn has not come is judged then: there may be a place as soon as the one before is answered.
        if self.request is not None and self.request.waits_for_judgement and not self.requests:
            self._judge(self.request)
        return taken

    def send_continue(self) -> None:
        """Have the client send the body. Before that the I/O thread sees whether there is a place, see `received`."""
        request = self.request
        if request is None or request.completed or (request.waits_for_judgement and self.server.is_own_thread()):
            return
        request.waits_for_judgement = False
        super().send_continue()

    def service(self) -> None:
        """Answer the request at the head of the queue, on a thread of one of the lanes."""
        super().service()
        self._answer_refused()
        self.server.changed(self)

    def write_soon(self, data: Any) -> int:
        """Send, after the head if that has not gone yet."""
        if self.head:
            data, self.head = self.head + bytes(data), b""
        sent: int = super().write_soon(data)
        if self.total_outbufs_len:
            self.server.changed(self)
        return sent

    def send_head(self) -> None:
        """Send the head if nothing went with it."""
        if self.head:
            self.write_soon(b"")

    def give_place_back(self) -> None:
        """The request at work needs its place no longer."""
        if self.ticket is not None:
            self.server.task_dispatcher.give_back(self.ticket)

    def give_up(self, error: Refusal) -> None:
        """Answer a request that is not whole yet, and probably never will be. On the I/O thread."""
        with self.requests_lock:
            request = self.request
            if request is None or self.requests:
                return
            request.error, request.completed, self.request = error, True, None
            self.requests.append(request)
            self.server.add_task(self)
        self._answer_refused()
        self.server.changed(self)

    def close_unasked(self) -> None:
        """Close an idle connection, unless a request has come just now."""
        try:
            come = self.socket.recv(1, socket.MSG_PEEK)
        except OSError:  # nothing there
            come = b""
        if not come:
            self.handle_close()

    def readable(self) -> bool:
        """Whether to read; after the last answer too, to see the client's end."""
        return bool(self.linger_until or super().readable())

    def handle_read(self) -> None:
        """Read: the head, and at once some of the body. What comes after the last answer is thrown away."""
        for _ in range(_READS_IN_A_TURN):
            if not self._read():
                break
        if self.close_when_flushed and self.connected:
            self.handle_write()

    def handle_write(self) -> None:
        """Send. Where waitress would close after the last answer, only our side is closed, and the client heard out."""
        if self.total_outbufs_len:
            # A thread that has a request of this connection may be adding to what is to be sent.
            self._flush_exception(self._flush_some_if_lockable if self.requests else self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.connected and self.close_when_flushed and not self.total_outbufs_len:
            self._linger()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """How many bytes there was room for. Only the I/O thread closes what turns out to be broken."""
        sent: int = super().send(data, do_close and self.server.is_own_thread())
        return sent

    def handle_close(self) -> None:
        """The connection is over, whoever ended it."""
        super().handle_close()
        if self.request is not None:
            self.request.close()
        self.server.task_dispatcher.leave(self)

    def _read(self) -> bool:
        """Read a piece; whether it was one of a plain body, of which there is probably more."""
        size = min(self.adj.recv_bytes, max(_PIECE, self.request.plain_rest if self.request else 0))
        try:
            data = self.recv(size)  # closes by itself at the client's end
        except BlockingIOError:
            return False
        except OSError:
            self.handle_close()
            return False
        if data:
            self.last_activity = time.time()
            if not self.linger_until:
                self.received(data)
        return len(data) == size and self.request is not None and self.request.plain_rest > 0

    def _linger(self) -> None:
        self.close_when_flushed = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()
        else:
            self.linger_until = time.monotonic() + _LINGER

    def _judge(self, request: Parser) -> None:
        """A body for which there is no place as it begins is not kept; who asked first need not send it."""
        refusal = request.judge(self.server.task_dispatcher.refusal(self, request))
        if refusal is not None and request.expect_continue:
            refusal.keep = False
            self.give_up(refusal)
        elif request.expect_continue:
            with self.requests_lock:
                self.send_continue()

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait until the client has taken some of what is to be sent. The I/O thread, which sends it, must not."""
        if not self.server.is_own_thread():
            super()._flush_outbufs_below_high_watermark()

    def _too_many_in_a_row(self) -> bool:
        """Whether more requests were sent in a row than are kept; then the last that is kept is refused."""
        with self.requests_lock:
            if len(self.requests) <= MAX_IN_A_ROW:
                return False
            self.requests[MAX_IN_A_ROW].error = too_many_in_a_row(MAX_IN_A_ROW)
            del self.requests[MAX_IN_A_ROW + 1 :]
            self.request = None
            return True

    def _answer_refused(self) -> None:
        """Answer here and now what `Lanes.add_task` refused. The next request on the connection may be refused too."""
        while True:
            try:
                self.refusals.pop()  # atomic: one thread alone gets it
            except IndexError:
                return
            super().service()
