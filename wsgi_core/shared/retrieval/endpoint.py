"""A language model behind an OpenAI-compatible endpoint (`POST <url>/chat/completions`), here or elsewhere."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..settings import Settings
from .passages import Passage

MAX_ANSWER = 1 << 20
"""Bytes of an answer; a longer one is none."""

INSTRUCTION = (
    "Answer the question from the numbered passages alone, briefly, and name the numbers of those you used in square"
    " brackets. If they do not answer it, say so."
)


class UpstreamError(Exception):
    """The endpoint gave no answer that could be used. The text says why, in words that a client may read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where it is (`http://127.0.0.1:11434/v1`), the model to ask for, the key if it wants one, seconds to wait."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 20.0

    def generate(self, query: str, passages: Sequence[Passage]) -> tuple[str, dict[str, int]]:
        """The answer and how many tokens it took. Raises `UpstreamError`, at the latest `timeout` seconds after
        the connection stands, which may take as long."""
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
        """Send JSON, get JSON. One deadline for all of it: a socket's own timeout starts anew with every byte."""
        url = urlsplit(self.url)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            with closing(_connect(url, self.timeout)) as connection, _cut_after(self.timeout, connection.sock):
                connection.request("POST", f"{url.path.rstrip('/')}/chat/completions", json.dumps(payload), headers)
                with connection.getresponse() as response:
                    return _read(response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            too_slow = isinstance(error, TimeoutError)
            reason = f"did not answer within {self.timeout:g} s" if too_slow else "cannot be reached"
            raise UpstreamError(f"the endpoint {reason}") from error


def chat_endpoint(settings: Settings) -> Endpoint | None:
    """The endpoint that the settings name, if they name one."""
    if settings.chat_url is None:
        return None
    key = settings.chat_key.get_secret_value() if settings.chat_key else None
    return Endpoint(settings.chat_url, settings.chat_model, key, settings.chat_timeout)


def _connect(url: SplitResult, timeout: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout)
    connection.connect()
    return connection


@contextmanager
def _cut_after(timeout: float, sock: socket.socket) -> Iterator[None]:
    """Wake up whoever waits for the socket when time is over; raises TimeoutError if it came to that."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        try:
            # Not TLS's own: that would wait for the other side's goodbye.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            pass  # it has just come to its end by itself

    timer = threading.Timer(timeout, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if over.is_set():  # whatever the reader has made of it
            raise TimeoutError


def _read(response: http.client.HTTPResponse) -> Any:
    body = response.read(MAX_ANSWER + 1)
    if response.status != 200:
        raise UpstreamError(f"the endpoint answered {response.status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if len(body) > MAX_ANSWER or not isinstance(answer, dict):
        raise UpstreamError("the endpoint's answer is not the JSON that was expected")
    return answer


def _sendable(text: str) -> bool:
    """Whether a text out of JSON exists in UTF-8: half a surrogate pair does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(usage: object) -> dict[str, int]:
    """The three counts of tokens, 0 where the endpoint told none."""
    told = usage if isinstance(usage, dict) else {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: told[name] if type(told.get(name)) is int else 0 for name in names}
