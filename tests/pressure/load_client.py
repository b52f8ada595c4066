"""A load client for a server under overload: it records each response's status and time, and lost connections.

The clients in `loadtests` stop at a 503 or a lost connection. This client counts both as results.

Run it as a separate process: ``python -m tests.pressure.load_client``, with the job as JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

from loadtests.load.closed_loop import Address

# The end of the headers, and the only header that this client uses to find the end of the body.
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def _retry_after(head: bytes) -> str:
    """Return the value of Retry-After, or "" if the header is missing."""
    _, _, rest = head.partition(b"\r\nretry-after:")
    return rest.split(b"\r\n", 1)[0].strip().decode("latin-1")


class ConnectionLost(Exception):
    """Raised if the server closed the connection before the response was complete."""


class Connection(asyncio.Protocol):
    """A connection with at most one request in flight."""

    def __init__(self) -> None:
        self.open = False
        self.closing = False
        self.retry_after = ""
        self._received = b""
        self._response: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._response is not None and not self._response.done():
            self._response.set_exception(ConnectionLost(repr(exc)))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end or self._response is None or self._response.done():
            return
        lower = head.lower()
        _, found, rest = lower.partition(_LENGTH)
        if not found or len(body) >= int(rest.split(b"\r\n", 1)[0]):
            self.closing = b"\r\nconnection: close" in lower
            self.retry_after = _retry_after(lower)
            self._received = b""
            self._response.set_result(int(head[9:12]))

    async def send(self, message: bytes) -> int:
        """Send `message` and return the status code of the response.

        Raises ConnectionLost if the connection is closed before the response is complete.
        """
        self._response = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        try:
            return await self._response
        finally:
            if self.closing:
                self.transport.close()
                self.open = False


class Load:
    """Requests on many connections: their response times by status code, and how many were lost.

    `lags` has the delay with which each request of an open loop was sent. If the client gets too little CPU time, the
    delays grow. The response times do not include them. All times are in ms.
    """

    def __init__(self, address: Address, message: bytes) -> None:
        self.address = address
        self.message = message
        self.times: dict[int, list[float]] = {}
        self.lost: Counter[str] = Counter()
        self.lags: list[float] = []
        self.retry_after: Counter[str] = Counter()
        self._free: list[Connection] = []

    async def send(self) -> None:
        """Send one request, on an idle connection or on a new one. The time includes opening a new connection."""
        began = time.perf_counter()
        try:
            connection = await self._take()
            status = await connection.send(self.message)
        except (ConnectionLost, OSError) as error:
            self.lost[str(error) or type(error).__name__] += 1
            return
        self.times.setdefault(status, []).append((time.perf_counter() - began) * 1e3)
        if status == 503:
            self.retry_after[connection.retry_after] += 1
        if connection.open:
            self._free.append(connection)

    async def closed_loop(self, clients: int, seconds: float) -> None:
        """Run `clients` clients for `seconds`. Each client waits for its response before it sends the next request."""
        until = time.perf_counter() + seconds

        async def client() -> None:
            while time.perf_counter() < until:
                await self.send()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def open_loop(self, rate: float, seconds: float) -> None:
        """Send `rate` requests a second at even intervals, without waiting for the responses."""
        began = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            while (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self.lags.append((time.perf_counter() - due) * 1e3)
            task = asyncio.create_task(self.send())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if not number % 16:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    def close(self) -> None:
        for connection in self._free:
            connection.transport.close()

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(Connection, *self.address)
        return made


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a closed loop of `clients`, or an open loop at `rate`, for `seconds`. Return the results."""
    load = Load(Address(job["host"], job["port"]), job["message"].encode("latin-1"))
    began = time.perf_counter()
    if "clients" in job:
        await load.closed_loop(job["clients"], job["seconds"])
    else:
        await load.open_loop(job["rate"], job["seconds"])
    seconds = time.perf_counter() - began
    load.close()
    return {
        "times": load.times,
        "lost": dict(load.lost),
        "lags": load.lags,
        "retry_after": dict(load.retry_after),
        "seconds": seconds,
    }


if __name__ == "__main__":
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)
