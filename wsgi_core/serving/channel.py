"""One connection: reads requests, sends responses, and closes the connection. docs/develop/server.md shows its states.

Worker threads may call only the methods below the comment "Called by worker threads".

A slot is the permission to process a request (see admission.py). Unsent bytes are bytes of a response that the
operating system has not yet taken from the server. A lingering connection has had its last response, and waits until
the client closes its side.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from typing import Any, Literal

from .admission import Permit, Refused, client_of
from .environ import connection_environ
from .errors import ErrorResponse, bad_request, not_monitoring, refusal, too_slow
from .nonblocking import MAX_RECEIVED, NonBlockingSocket
from .parser import Parser
from .poller import READ, WRITE
from .protocols import ChannelOwner
from .task import WATERMARK, ClientDisconnected, Task

logger = logging.getLogger("wsgi_core.serving")

# A lingering connection is closed after this many seconds. Until then, bytes from the client are read and discarded. If
# the connection were closed at once, further bytes would cause a reset, and the client could lose the response.
LINGER = 2.0
# The number of bytes to read in one call. A body with a Content-Length is read in larger pieces, but a chunked body is
# not, because the parser needs long for many tiny chunks.
_CHUNK = 8 << 10
_MAX_READS = 16
_SEND_AT_ONCE = 256 << 10
# A stream that waits for its client continues if at most this many bytes are unsent.
_LOW_WATERMARK = WATERMARK // 4
# While too many connections are open, requests are refused if the first request in the queue has waited this long, in
# seconds.
_OVERLOAD_WAIT = 0.1

State = Literal["idle", "reading", "waiting", "running", "streaming", "blocked", "sending", "lingering"]


class Channel:
    """An accepted connection."""

    __slots__ = (
        "_drained",
        "_number",
        "blocked_since",
        "client",
        "closing",
        "connected",
        "environ",
        "input",
        "input_ended",
        "interest",
        "last_activity",
        "linger_until",
        "listener",
        "out_lock",
        "output",
        "peer",
        "permit",
        "request",
        "response_started",
        "sending_since",
        "sent",
        "site",
        "socket",
        "task",
        "unsent",
        "used",
    )  # fmt: skip

    def __init__(self, listener: ChannelOwner, sock: NonBlockingSocket, address: Any) -> None:
        self.listener = listener
        self.site = listener.site
        self.socket = sock
        self._number = sock.fileno()
        self.peer = str(address[0])
        self.client = client_of(self.peer)
        self.environ = connection_environ(listener.environ, self.peer, address[1])
        self.last_activity = time.monotonic()
        self.input = b""  # bytes that are not parsed yet
        self.input_ended = False  # the client sends no more bytes
        self.request: Parser | None = None  # the incomplete request
        self.task: Task | None = None  # answers the current request
        # A thread must hold the lock to change `output`, `unsent` or `permit`.
        self.out_lock = threading.Lock()
        self.output: deque[memoryview] = deque()
        self.unsent = 0  # the number of bytes in `output`
        self.permit: Permit | None = None  # the slot of a response that only has to be sent
        self.response_started = self.sending_since = self.blocked_since = 0.0
        self.sent = 0
        self._drained: threading.Event | None = None
        self.closing = False  # the connection closes after the response
        self.linger_until = 0.0  # the end of lingering (time.monotonic()), or 0
        self.connected = True
        self.interest = 0
        self.used = False  # the connection has had a request

    def fileno(self) -> int:
        """Return the file descriptor of the socket. The number is also returned after `close`."""
        return self._number

    @property
    def idle(self) -> bool:
        """Whether the connection has no request, no unparsed input and no unsent bytes, and is not closing."""
        return not (self.task or self.request or self.unsent or self.input or self.closing)

    @property
    def state(self) -> State:
        """The state of the connection, for the metrics. Any thread may read the state, which may be slightly out of
        date.
        """
        if self.linger_until:
            return "lingering"
        task = self.task
        if task is not None:
            permit = task.permit
            if self.blocked_since:
                return "blocked"
            if task.streaming:
                return "streaming"
            return "waiting" if permit is not None and permit.state == "waiting" else "running"
        if self.unsent:
            return "sending"
        return "reading" if self.request is not None else "idle"

    # Reading.

    def handle_read(self) -> None:
        """Read and parse bytes. If the connection is lingering, discard the bytes."""
        for _ in range(_MAX_READS):
            size = _CHUNK
            if self.request is not None:
                size = min(MAX_RECEIVED, max(_CHUNK, self.request.plain_rest))
            try:
                data = self.socket.recv(size)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            if not data:
                self._end_input()
                break
            self.last_activity = time.monotonic()
            if self.linger_until:
                break
            self.input = self.input + data if self.input else data
            self.process()
            if len(data) < size or self.request is None or not self.request.plain_rest:
                break
        self.watch()

    def handle_hangup(self) -> None:
        """Close the connection if it was reset, lingers, or has unsent bytes. Otherwise, handle the end of the client's
        input.

        Some systems report a hangup if the client has only closed its sending side. Such a client can still read a
        response.
        """
        if self.linger_until or self.interest & WRITE or self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
        elif self.interest:
            self.handle_read()
        else:
            # Otherwise, each step of the poller would report the hangup again. `watch` registers the socket again.
            self.listener.poller.unregister(self)
            self.interest = -1

    def process(self) -> None:
        """Parse the input until a request is complete or no input is left.

        If `closing` is true, parse nothing. When the response is sent, begin to linger.
        """
        while self.task is None and not self.unsent and self.connected and not self.closing:
            if self.input:
                if not self._parse():
                    break  # `finish` has scheduled a call that parses the rest, so other connections come first
            elif self.input_ended:
                self._end_without_request()
            else:
                return
        if self.closing and self.task is None and not self.unsent and self.connected and not self.linger_until:
            self._linger()

    def reject(self, error: ErrorResponse) -> None:
        """Answer the incomplete request with `error`, and close the connection after the response."""
        request, self.request = self.request, None
        if request is not None and self.task is None:
            request.error, request.expect_continue = error, False
            self.closing = True
            self._begin(request)
            self.process()
            self.watch()

    def close_if_silent(self) -> None:
        """Close the connection, unless it has received bytes that the server has not read yet."""
        if not self.has_unread():
            self.close()

    def has_unread(self) -> bool:
        """Return whether the connection has received bytes that the server has not read yet."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:  # no bytes are available
            return False

    def resume(self) -> None:
        """Continue to read and send, after a worker thread has used the connection."""
        if self.connected:
            self.process()
            self.watch()

    def watch(self) -> None:
        """Tell the poller which events the connection waits for."""
        if not self.connected:
            return
        interest = WRITE if self.unsent else 0
        if self.linger_until or not (self.input_ended or self.input or self.closing):
            interest |= READ
        if interest != self.interest:
            self.interest = interest
            self.listener.poller.watch(self, interest)

    def _parse(self) -> bool:
        """Parse the input up to the end of a request. Return False if the request was answered with an error."""
        request = self.request
        if request is None:
            request = self.request = Parser(self.site.limits)
        data = self.input
        consumed = request.received(data)
        self.input = data[consumed:]
        if request.completed:
            self.request = None
            return self._begin(request)
        if request.head_pending:
            request.head_pending = False
            return self._reject_early(request)
        return True

    def _begin(self, request: Parser) -> bool:
        """Pass `request` to the dispatcher, and return True.

        If the request is not valid or is refused, answer with an error and return False.
        """
        self.used = True
        self.response_started = 0.0
        task = self.task = request.task or Task(self, request)
        task.complete()
        error = request.error
        if error is not None and not isinstance(error, ErrorResponse):
            task.rejection, task.body_size, error = error, 0, None
        if error is None and self.listener.monitoring_only and not task.monitoring:
            error = not_monitoring()
        if error is None:
            refused = self._refuse_above_limit(task) or self.site.dispatcher.add_task(task)
            if refused is None:
                return True
            error = refusal(refused)
        task.fail(error)
        return False

    def _refuse_above_limit(self, task: Task) -> Refused | None:
        """If too many connections are open and queued requests wait too long, refuse the request. Otherwise, return
        None.

        The connection of the refused request is closed after the response. If the request were queued, its connection
        would stay open and could keep out a health check.
        """
        if task.monitoring or not self.listener.above_limit():
            return None
        if self.site.dispatcher.oldest_wait(time.monotonic()) < _OVERLOAD_WAIT:
            return None
        task.close = True
        return self.site.admission.refuse()

    def _reject_early(self, request: Parser) -> bool:
        """Reject a request before its body is read, if necessary. Return False if the request was answered with an
        error.

        A request is rejected if an X-Forwarded-* header is not valid, if admission control refuses the request, or if
        `check_head` returns a response. The body of a rejected request is discarded.

        If the client waits for `100 Continue`, answer at once with `100 Continue` or the rejection. Otherwise, the
        rejection is sent after the body has arrived.
        """
        task = request.task = Task(self, request)
        rejection: Any = request.error
        # PERF: under overload most requests are refused here, and `check_head` costs more than the admission check.
        if rejection is None and not task.monitoring:
            refused = self._refuse_above_limit(task) or self.site.admission.check(task.client)
            rejection = refusal(refused) if refused else None
        if rejection is None and self.site.check_head is not None:
            try:
                rejection = self.site.check_head(task.environ().copy())
            except Exception:
                logger.exception("check_head raised an exception, so the request was not checked")
        if rejection is not None:
            request.reject(rejection)
            if request.expect_continue:
                self.request = None
                task.close = self.closing = True
                request.error = rejection
                return self._begin(request)
        elif request.expect_continue:
            request.expect_continue = False
            self._send_continue()
        return True

    def _send_continue(self) -> None:
        try:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except ClientDisconnected:
            self.close()

    def _end_input(self) -> None:
        """Handle the end of the client's input. If the client waits for a response, keep the connection open.

        The client may have closed only its sending side.
        """
        self.input_ended = True
        if self.linger_until:
            self.close()
        else:
            self.process()

    def _end_without_request(self) -> None:
        if self.request is None or self.request.error is not None:
            self.close()
        elif self.request.header_plus or self.request.headers_finished:
            self.reject(bad_request("the request ends too early"))
        else:
            self.close()

    # Sending.

    def handle_write(self) -> None:
        """Send as many unsent bytes as the socket accepts."""
        if not self.out_lock.acquire(blocking=False):
            return  # a worker thread holds the lock to send; the poller reports the socket again
        broken = False
        try:
            while self.output and self._send_first():
                pass
        except BlockingIOError:
            pass
        except OSError:
            broken = True
        finally:
            self.out_lock.release()
        if broken:
            self.close()
            return
        if self.permit is not None and self.unsent <= WATERMARK:
            self._release_permit()
        drained = self._drained
        if drained is not None and self.unsent <= _LOW_WATERMARK:
            drained.set()
        if not self.unsent:
            self.sending_since = 0.0
            self.process()
        self.watch()

    def check_reading(self, now: float) -> None:
        """If the incomplete request has exceeded its timeout, answer 408. If the request has only empty lines so far,
        close the connection instead.
        """
        request, settings = self.request, self.site.settings
        if request is None or self.task is not None:
            return
        age = now - request.started
        if not request.headers_finished:
            if age >= settings.header_timeout and not request.header_plus:
                self.close()  # the client has sent only empty lines
            elif age >= settings.header_timeout:
                self.reject(too_slow("the headers took too long"))
        elif age >= settings.body_timeout:
            self.reject(too_slow("the body took too long"))

    def check_sending(self, now: float) -> None:
        """Close the connection if the client reads too slowly, or if the response exceeds `response_timeout`."""
        settings = self.site.settings
        blocked = now - self.sending_since if self.sending_since else 0.0
        if (
            (self.unsent and now - self.last_activity >= settings.send_timeout)
            or (blocked >= settings.send_timeout and self.sent < settings.min_send_rate * blocked)
            or (self.response_started and now - self.response_started >= settings.response_timeout)
        ):
            self.close()

    def close(self) -> None:
        """Close the connection. If its request still waits for a thread, cancel the request. A second call does
        nothing.
        """
        if not self.connected:
            return
        self.listener.remove(self)
        with self.out_lock:  # the file descriptor must stay open while a worker thread sends
            self.connected = False
            self.output.clear()
            self.site.unsent.add(-self.unsent)
            self.unsent = 0
            self.socket.close()
        self._release_permit()
        if (drained := self._drained) is not None:
            drained.set()
        request, self.request = self.request, None
        if request is not None:
            request.close()
        task = self.task
        if task is not None and self.site.dispatcher.cancel(task):
            task.request.close()

    def _send_first(self) -> int:
        """Send bytes of the first buffer of `output`, and return how many bytes were sent. The caller must hold
        `out_lock`.

        Raises BlockingIOError if the socket accepts no bytes now, and another OSError if the connection is broken.
        """
        piece = self.output[0]
        sent = self.socket.send(piece[:_SEND_AT_ONCE])
        self.unsent -= sent
        self.sent += sent
        self.site.unsent.add(-sent)
        self.last_activity = time.monotonic()
        if sent == len(piece):
            self.output.popleft()
        else:
            self.output[0] = piece[sent:]
        return sent

    def _release_permit(self) -> None:
        with self.out_lock:
            permit, self.permit = self.permit, None
        if permit is not None:
            self.site.admission.release(permit, time.monotonic())

    def _linger(self) -> None:
        """Close the sending side, and wait at most `LINGER` seconds until the client closes its side.

        If the client has already closed its side, close the connection at once.
        """
        self.input = b""
        if self.input_ended:
            self.close()
        else:
            self._close_sending_side()

    # Called by worker threads.

    def send(self, data: bytes) -> None:
        """Send `data`. The I/O thread sends the bytes that the socket does not accept at once.

        Raises ClientDisconnected if the connection is closed or broken.
        """
        with self.out_lock:
            if not self.connected:
                raise ClientDisconnected
            sent = 0
            if not self.output:
                try:
                    sent = self.socket.send(data)
                except BlockingIOError:
                    pass
                except OSError:
                    self.listener.poller.call(self.close)
                    raise ClientDisconnected from None
            if not self.response_started:
                self.response_started = time.monotonic()
            rest = len(data) - sent
            if rest:
                if not self.output:
                    self.sending_since = self.last_activity = time.monotonic()
                    self.sent = 0
                self.output.append(memoryview(data)[sent:])
                self.unsent += rest
                self.site.unsent.add(rest)
        if rest:
            self.listener.poller.call(self.resume)

    def keep_permit(self, permit: Permit) -> bool:
        """Take over `permit`, and release it when at most `WATERMARK` bytes are unsent. Return True.

        If at most `WATERMARK` bytes are unsent now, or if the connection is closed, return False. Then the caller must
        release `permit`.
        """
        with self.out_lock:
            if not self.connected or self.unsent <= WATERMARK:
                return False
            self.permit = permit
        return True

    def wait_drained(self) -> None:
        """Wait until at most `_LOW_WATERMARK` bytes are unsent or the connection is closed."""
        drained = self._drained = threading.Event()
        self.blocked_since = time.monotonic()
        if self.connected and self.unsent > _LOW_WATERMARK:
            drained.wait()
        self.blocked_since = 0.0
        self._drained = None

    def abort(self) -> None:
        """Make the I/O thread close the connection."""
        self.listener.poller.call(self.close)

    def is_disconnected(self) -> bool:
        """Return whether the connection is closed. Applications call this method as
        `environ["waitress.client_disconnected"]`.
        """
        return not self.connected

    def finish(self, task: Task) -> None:
        """Pass the connection back to the I/O thread at the end of `task`."""
        if task.close:
            self.closing = True
        self.last_activity = time.monotonic()
        self.task = None
        if self.unsent or self.input or self.input_ended or not self.interest & READ:
            self.listener.poller.call(self.resume)
        elif self.closing:
            self._close_sending_side()

    def _close_sending_side(self) -> None:
        """Close the sending side, and begin to linger.

        PERF: the calling thread does this itself, because waking the I/O thread for each short connection would cost
        more.
        """
        with self.out_lock:
            if not self.connected:
                return
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.listener.poller.call(self.close)
            else:
                self.linger_until = time.monotonic() + LINGER
