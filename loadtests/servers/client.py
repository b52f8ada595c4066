"""The client: one process for all servers, which takes an order a line and answers with what it counted.

An order is measured in a closed loop over one kept connection, then in an open loop at a fixed rate.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import selectors
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Self

import psutil

from loadtests.load.lean import Address, BadAnswer, Connection
from loadtests.load.lean import drive as drive_closed
from loadtests.load.openloop import OpenLoop
from loadtests.load.window import Window, percentiles
from loadtests.servers.contenders import Unavailable

CONNECTIONS = 16


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Both windows of an order: {"closed": ..., "open": ...}; raises `BadAnswer`, OSError, psutil.Error."""
    address = Address(order["host"], order["port"])
    messages = itertools.cycle([text.encode() for text in order["messages"]])
    window = Window(order["server_pid"])
    closed = drive_closed(window, address, messages, 1, order["warm_up"], order["seconds"])
    return {"closed": closed, "open": _open(order, address, messages)}


def _open(order: dict[str, Any], address: Address, messages: Iterator[bytes]) -> dict[str, Any]:
    # NOTE: no epoll: its timeouts are whole milliseconds, and a request would start up to one too late.
    with selectors.SelectSelector() as selector, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(address, selector)) for _ in range(CONNECTIONS)]
        loop, dice = OpenLoop(connections, selector, messages), random.Random(order["seed"])
        loop.run(order["rate"], order["warm_up"], dice)
        loop.run(order["rate"], order["seconds"], dice)
        return {
            "requests": len(loop.latencies),
            "latencies_ms": percentiles(loop.latencies),
            "lag_ms": percentiles(loop.lags),
        }


class Client:
    """The client's process, for as long as the context lasts."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.servers.client"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def measure(self, order: dict[str, Any]) -> dict[str, Any]:
        """What the client counted for an order. Raises `Unavailable` when an answer was none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        measured: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "failed" in measured:
            raise Unavailable(f"a request failed: {measured['failed']}")
        return measured


def main() -> None:
    """An order a line on standard input, an answer a line on standard output."""
    for line in sys.stdin:
        try:
            answer = measure(json.loads(line))
        except (BadAnswer, OSError, psutil.Error) as error:
            answer = {"failed": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
