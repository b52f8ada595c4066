"""A client for a language model behind an OpenAI-compatible endpoint (`POST <url>/chat/completions`)."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..settings import Settings
from ..upstream import BoundedCalls, TooManyCalls
from .passages import Passage

MAX_BODY = 1 << 20
"""The maximum size of a response body in bytes."""

MAX_HEAD = 64 << 10
"""The maximum size of a response head in bytes. The limit includes interim responses (`100 Continue`) before the
head."""

MAX_CALLS = 2
"""The default for the maximum number of concurrent calls of a process."""

INSTRUCTION = (
    "Answer the question briefly, from the numbered passages alone. Give the numbers of the passages that you used in"
    " square brackets. If the passages do not answer the question, say so."
)


class UpstreamError(Exception):
    """Raised if the endpoint gives no usable answer, or if too many calls are running. Clients may see the message."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint.

    url: the base URL, such as `http://127.0.0.1:11434/v1`
    model: the name of the language model
    key: the API key, or None
    timeout: the maximum seconds of a call, from the DNS lookup to the end of the response
    calls: the maximum number of concurrent calls
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 20.0
    calls: int = MAX_CALLS
    _calls: BoundedCalls = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_calls", BoundedCalls(self.calls, self.timeout))

    def generate(self, query: str, passages: Sequence[Passage]) -> tuple[str, dict[str, int]]:
        """Return an answer to the question `query` from the passages, and the token counts.

        Raises `UpstreamError` if too many calls are running, or if the endpoint sends no usable answer within the
        timeout.
        """
        context = "\n\n".join(
            f"[{number}] {passage.source}, {passage.heading}:\n{passage.text}"
            for number, passage in enumerate(passages, 1)
        )
        question = f"{context}\n\nQuestion: {query}"
        messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": question}]
        answer = self._post({"model": self.model, "messages": messages, "temperature": 0})
        try:
            text = answer["choices"][0]["message"]["content"]
        except (LookupError, TypeError):
            text = None
        if not isinstance(text, str) or not text.strip() or not _sendable(text):
            raise UpstreamError("the endpoint's answer has no text")
        return text.strip(), _count(answer.get("usage"))

    def _post(self, payload: dict[str, Any]) -> Any:
        """Send a JSON request, and return the JSON object in the response.

        Raises `UpstreamError` if this fails, if the response is not a JSON object with status 200, after `timeout`
        seconds, or if too many calls are running.
        """
        try:
            return self._calls.run(lambda: self._exchange(payload))
        except TooManyCalls as error:
            raise UpstreamError("too many calls to the endpoint are in progress") from error
        except TimeoutError as error:
            raise UpstreamError(f"the endpoint did not answer within {self.timeout:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UpstreamError("the endpoint cannot be reached, or its response is not valid HTTP") from error

    def _exchange(self, payload: dict[str, Any]) -> Any:
        """Connect. Then send the request and read the response within `timeout` seconds.

        The timeout of a socket is not enough, because it starts again with each read.
        """
        url = urlsplit(self.url)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        with closing(_connect(url, self.timeout)) as connection, _shut_down_after(self.timeout, connection.sock):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request("POST", f"{url.path.rstrip('/')}/chat/completions", json.dumps(payload), headers)
            with connection.getresponse() as response:
                return _read(response)


class _LimitedReader(io.RawIOBase):
    """A stream of the bytes that a socket receives. Raises http.client.HTTPException after `remaining` bytes.

    Without this limit, a server could send interim responses without end.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.remaining = MAX_HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        self.remaining -= count or 0
        if self.remaining < 0:
            raise http.client.HTTPException("the response is too long")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """A response with at most `MAX_HEAD` bytes of head, and at most `MAX_HEAD` + `MAX_BODY` bytes in total."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reader = _LimitedReader(self.fp)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head. Then raise the limit by the maximum size of a body."""
        super().begin()
        self._reader.remaining += MAX_BODY


def chat_endpoint(settings: Settings) -> Endpoint | None:
    """Return the endpoint that the settings configure, or None if `chat_url` is not set."""
    if settings.chat_url is None:
        return None
    key = settings.chat_key.get_secret_value() if settings.chat_key else None
    calls = max(1, min(MAX_CALLS, settings.threads - 1))
    return Endpoint(settings.chat_url, settings.chat_model, key, settings.chat_timeout, calls)


def _connect(url: SplitResult, timeout: float) -> http.client.HTTPConnection:
    """Return an open connection. With TLS, the caller must still do the handshake."""
    is_secure = url.scheme == "https"
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout)
    connection.response_class = _BoundedResponse
    http.client.HTTPConnection.connect(connection)
    if is_secure:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        connection.sock = context.wrap_socket(
            connection.sock, server_hostname=url.hostname, do_handshake_on_connect=False
        )
    return connection


@contextmanager
def _shut_down_after(timeout: float, sock: socket.socket) -> Iterator[None]:
    """If the `with` block takes longer than `timeout` seconds, shut the socket down and raise TimeoutError.

    The shutdown ends a read that blocks.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        try:
            # Not SSLSocket.shutdown, which also discards the TLS state that the reader still uses.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            pass  # the connection has just closed

    timer = threading.Timer(timeout, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if expired.is_set():  # even if the block has returned or has raised another error
            raise TimeoutError


def _read(response: http.client.HTTPResponse) -> Any:
    body = response.read(MAX_BODY + 1)
    if response.status != 200:
        raise UpstreamError(f"the endpoint responded with {response.status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if len(body) > MAX_BODY or not isinstance(answer, dict):
        raise UpstreamError("the endpoint's response is not the expected JSON")
    return answer


def _sendable(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8. A lone surrogate, which JSON allows, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(usage: object) -> dict[str, int]:
    """Return the three token counts. A count that the endpoint has not sent is 0."""
    counts = usage if isinstance(usage, dict) else {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: counts[name] if type(counts.get(name)) is int else 0 for name in names}
