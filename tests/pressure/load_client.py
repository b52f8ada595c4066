"""A client for a server under pressure: many connections, the status and time of each response, and lost connections.

Unlike the clients that measure, it counts a refusal as a response, and a lost connection as a result.

Run as a process of its own: ``python -m tests.pressure.load_client`` with the orders as JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

from loadtests.load.closed_loop import Address

# The end of the headers, and the one header that says where the body ends.
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def _retry_after(head: bytes) -> str:
    """Return the value of Retry-After, empty without one."""
    _, _, rest = head.partition(b"\r\nretry-after:")
    return rest.split(b"\r\n", 1)[0].strip().decode("latin-1")


class Lost(Exception):
    """The connection ended without the answer."""


class Connection(asyncio.Protocol):
    """One connection that asks one thing at a time."""

    def __init__(self) -> None:
        self.open = False
        self.closing = False
        self.retry_after = ""
        self._received = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Lost(repr(exc)))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end or self._answer is None or self._answer.done():
            return
        lower = head.lower()
        _, found, rest = lower.partition(_LENGTH)
        if not found or len(body) >= int(rest.split(b"\r\n", 1)[0]):
            self.closing = b"\r\nconnection: close" in lower
            self.retry_after = _retry_after(lower)
            self._received = b""
            self._answer.set_result(int(head[9:12]))

    async def ask(self, message: bytes) -> int:
        """The status of the answer. Raises Lost."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        try:
            return await self._answer
        finally:
            if self.closing:
                self.transport.close()
                self.open = False


class Pressure:
    """What a run of requests saw: the time of each answer by status, and how many were lost.

    `lags`: how much later than it should each request of an open loop was sent. A client that has not enough of a
    processor shows here, and not in the times. All in ms.
    """

    def __init__(self, address: Address, message: bytes) -> None:
        self.address = address
        self.message = message
        self.times: dict[int, list[float]] = {}
        self.lost: Counter[str] = Counter()
        self.lags: list[float] = []
        self.retry_after: Counter[str] = Counter()
        self._free: list[Connection] = []

    async def one(self) -> None:
        """Ask once, on a connection that is free or on a new one, whose making counts."""
        since = time.perf_counter()
        try:
            connection = await self._take()
            status = await connection.ask(self.message)
        except (Lost, OSError) as error:
            self.lost[str(error) or type(error).__name__] += 1
            return
        self.times.setdefault(status, []).append((time.perf_counter() - since) * 1e3)
        if status == 503:
            self.retry_after[connection.retry_after] += 1
        if connection.open:
            self._free.append(connection)

    async def closed(self, clients: int, seconds: float) -> None:
        """So many clients, each asking again when it has its answer."""
        until = time.perf_counter() + seconds

        async def client() -> None:
            while time.perf_counter() < until:
                await self.one()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def open(self, rate: float, seconds: float) -> None:
        """So many requests a second, evenly, whether or not the ones before are answered."""
        began = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            while (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self.lags.append((time.perf_counter() - due) * 1e3)
            task = asyncio.create_task(self.one())
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


async def obey(orders: dict[str, Any]) -> dict[str, Any]:
    """Do what the orders say: `clients` for a closed loop, or `rate` for an open one, for `seconds`."""
    pressure = Pressure(Address(orders["host"], orders["port"]), orders["message"].encode("latin-1"))
    began = time.perf_counter()
    if "clients" in orders:
        await pressure.closed(orders["clients"], orders["seconds"])
    else:
        await pressure.open(orders["rate"], orders["seconds"])
    seconds = time.perf_counter() - began
    pressure.close()
    return {
        "times": pressure.times,
        "lost": dict(pressure.lost),
        "lags": pressure.lags,
        "retry_after": dict(pressure.retry_after),
        "seconds": seconds,
    }


if __name__ == "__main__":
    json.dump(asyncio.run(obey(json.load(sys.stdin))), sys.stdout)
