"""Drive an ASGI application in process, as ``driver.py`` does with WSGI.

The application is awaited directly, with the whole body in one message: no event waits, no task is made, no socket is
read. What this driver costs by itself is measured too, with an ASGI application that does nothing. A figure from here
is a cost of the framework without its server, and stands beside those of WSGI with that label.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from loadtests.instrument.driver import Answer, Block, WrongAnswer
from loadtests.instrument.exchanges import SERVER_VARIABLES, Exchange

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class ScopeMaker:
    """Makes scopes and bodies for a list of exchanges, one after the other, round and round."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._cycle = itertools.cycle([_template(exchange) for exchange in exchanges])

    def make(self) -> tuple[Message, bytes]:
        """A fresh scope with a list of headers of its own, and the body; as in ``EnvironMaker`` the strings are new."""
        template, method, path, body = next(self._cycle)
        scope = template.copy()
        scope["method"] = method.decode("latin-1")
        scope["path"] = path.decode("latin-1")
        scope["headers"] = list(scope["headers"])
        return scope, body


def _template(exchange: Exchange) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    path = exchange.path.encode("latin-1")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "root_path": "",
        "headers": _headers({**SERVER_VARIABLES, **exchange.variables}),
        "client": ("127.0.0.1", 50004),
        "server": ("127.0.0.1", 8080),
    }
    return scope, exchange.method.encode("latin-1"), path, exchange.body


def _headers(variables: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers that stand in an environ's variables, as ASGI has them: bytes, names in lower case."""
    return [
        (name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in variables.items()
        if name.startswith(("HTTP_", "CONTENT_"))
    ]


class AsgiTarget:
    """An ASGI application as the worker measures it."""

    def __init__(self, app: Application, exchanges: Sequence[Exchange]) -> None:
        self.app = app
        self.scopes = ScopeMaker(exchanges)

    def block(self, requests: int, expected: str) -> Block:
        """Time ``requests`` requests; raises ``WrongAnswer`` at the first status that is not ``expected``."""
        return asyncio.run(_run_block(self.app, self.scopes, requests, int(expected.partition(" ")[0])))


def ask(app: Application, exchange: Exchange) -> Answer:
    """One request, outside of any timing. Raises ``WrongAnswer`` when no response was started."""
    return asyncio.run(_ask(app, exchange))


async def _ask(app: Application, exchange: Exchange) -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": exchange.body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope, _ = ScopeMaker([exchange]).make()
    await app(scope, receive, send)
    if not sent or sent[0]["type"] != "http.response.start":
        raise WrongAnswer("no response was started")
    status = HTTPStatus(sent[0]["status"])
    headers = sorted((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in sent[0]["headers"])
    return Answer(f"{status.value} {status.phrase}", headers, b"".join(part.get("body", b"") for part in sent[1:]))


async def _run_block(app: Application, scopes: ScopeMaker, requests: int, expected: int) -> Block:
    body, status = b"", 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    gc.collect()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(requests):
        status = 0
        scope, body = scopes.make()
        await app(scope, receive, send)
        if status != expected:
            raise WrongAnswer(f"expected {expected}, got {status}")
    return Block(requests, time.process_time_ns() - cpu, time.perf_counter_ns() - wall)
