"""Call an ASGI application in process, and time blocks of requests, as ``driver.py`` does for WSGI.

There is no socket, no task for a request and no waiting: the application is awaited directly, and the whole body is in
one message. The cost of an ASGI application that does nothing is subtracted. So the result is the cost of the framework
without a server.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from loadtests.instrument.driver import Block, Response, WrongResponse
from loadtests.instrument.request import PORT, Evict, Request, environ_of

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
STARTUP_SECONDS = 30.0


class ScopeMaker:
    """An endless source of ASGI scopes and bodies. After the last of ``requests``, the first follows again.

    ``statuses`` has the expected status line of each request. If ``evict`` is given, it is called before each scope is
    made.
    """

    def __init__(self, requests: Sequence[Request], statuses: Sequence[str] = (), evict: Evict | None = None) -> None:
        known = [int(status.partition(" ")[0]) for status in statuses] or [0] * len(requests)
        self._cycle = itertools.cycle([(*_template(one), status) for one, status in zip(requests, known, strict=True)])
        self.evict = evict

    def make(self) -> tuple[Message, bytes, int]:
        """Return a new scope, the body, and the expected status code. Without statuses, the code is 0.

        The method and the path are new strings each time, as in a real request (see ``EnvironMaker.make``).
        """
        template, method, path, body, status = next(self._cycle)
        if self.evict:
            self.evict()
        scope = template.copy()
        scope["method"] = method.decode("latin-1")
        scope["path"] = path.decode("utf-8", "replace")
        scope["headers"] = list(scope["headers"])
        return scope, body, status


def _template(request: Request) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    environ, body = environ_of(request.message())
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
    for name in ("HTTP_HOST", "CONTENT_LENGTH"):
        key = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        if name in environ and key not in dict(headers):
            headers.append((key, environ[name].encode("latin-1")))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": request.target.partition("?")[0].encode("latin-1"),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50004),
        "server": ("127.0.0.1", PORT),
    }
    return scope, environ["REQUEST_METHOD"].encode("latin-1"), environ["PATH_INFO"].encode("latin-1"), body


class AsgiTarget:
    """An ASGI application to ask for responses and to time. It runs in one event loop.

    Its lifespan begins before the first request.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        self._runner.run(_begin_lifespan(app))

    def ask(self, request: Request) -> Response:
        """Send one request without timing it, and return the response.

        Raises ``WrongResponse`` if the application does not start a response.
        """
        return self._runner.run(_ask(self.app, request))

    def prepare(self, requests: Sequence[Request], statuses: Sequence[str], evict: Evict | None) -> None:
        """Set the requests to time. ``statuses`` has the expected status line of each request.

        If ``evict`` is given, it is called before each request.
        """
        self.scopes = ScopeMaker(requests, statuses, evict)

    def block(self, requests: int) -> Block:
        """Time ``requests`` requests. Raises ``WrongResponse`` at the first unexpected status."""
        return self._runner.run(_run_block(self.app, self.scopes, requests))


async def _begin_lifespan(app: Application) -> None:
    """Send lifespan.startup, and wait until the application answers, returns or raises an exception.

    An exception is ignored, because an application without support for lifespan raises one. Raises ``WrongResponse`` if
    the application answers that its startup failed. Raises ``TimeoutError`` if there is no answer within
    ``STARTUP_SECONDS``.
    """
    started = asyncio.get_running_loop().create_future()
    begun = False

    async def receive() -> Message:
        nonlocal begun
        if begun:
            await asyncio.Event().wait()  # shutdown is never sent, because the process ends
        begun = True
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        if not started.done():
            started.set_result(message)

    async def run() -> None:
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, receive, send)
        except Exception:
            pass
        finally:
            if not started.done():
                started.set_result({})

    _running.append(asyncio.create_task(run()))
    message = await asyncio.wait_for(started, STARTUP_SECONDS)
    if message.get("type") == "lifespan.startup.failed":
        raise WrongResponse(f"the startup of an ASGI application failed: {message.get('message', '')}")


# An event loop has only weak references to its tasks, so this list keeps them alive.
_running: list[asyncio.Task[None]] = []


async def _ask(app: Application, request: Request) -> Response:
    sent: list[Message] = []
    scope, body, _ = ScopeMaker([request]).make()
    read = False

    async def receive() -> Message:
        nonlocal read
        if read:
            await asyncio.Event().wait()  # the client stays connected, so there is nothing more to receive
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent or sent[0]["type"] != "http.response.start":
        raise WrongResponse("the application did not start a response")
    code = int(sent[0]["status"])
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "Unknown"
    headers = sorted(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in sent[0].get("headers", ())
    )
    return Response(f"{code} {phrase}", headers, b"".join(part.get("body", b"") for part in sent[1:]))


async def _run_block(app: Application, scopes: ScopeMaker, requests: int) -> Block:
    body, status, read = b"", 0, False

    async def receive() -> Message:
        nonlocal read
        if read:
            await asyncio.Event().wait()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    gc.collect()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(requests):
        status, read = 0, False
        scope, body, expected = scopes.make()
        await app(scope, receive, send)
        if status != expected:
            raise WrongResponse(f"expected {expected}, got {status}")
    return Block(requests, time.process_time_ns() - cpu, time.perf_counter_ns() - wall)
