"""Stop a server under load many times, and check that no request is lost.

``python -m tests.pressure.stops [--times 100]``. Fifty clients keep their connections open and send requests without a
pause. Half of the clients ask for a small prediction. Other clients ask for a prediction that takes long, send a
request in two halves with a pause between the halves, or ask for a stream. The exit code is 1 if a request was lost, or
if the server did not stop by itself within 10 seconds, with exit code 0.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse

import click

from loadtests.load.closed_loop import Address
from tests.pressure.overload import ROW, batch
from tests.pressure.under_test import ServerUnderTest, gunicorn_command, running, serve_command

CLIENTS = {"small": 25, "long": 10, "halves": 10, "stream": 5}
LOAD_SECONDS = 0.5
MOST_IDLE = 0.5
"""Seconds after which a client does not use its connection again. During a stop, the server closes a connection that
has been idle for one second."""


class Idle(Exception):
    """Raised for a connection that has been idle for more than `MOST_IDLE` seconds."""


@dataclass
class Outcome:
    """The results of the clients: answered requests by kind of client, and a line for each lost request."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


def stream(rows: int) -> bytes:
    """Return a request for `rows` predictions whose response is a stream."""
    body = (json.dumps(ROW) + "\n").encode() * rows
    head = f"POST /predict/stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: application/x-ndjson\r\n\r\n" + body


MESSAGES = {"small": batch(1), "long": batch(2000), "halves": batch(50), "stream": stream(2000)}


class Client:
    """A client of one kind, on a separate thread. It ends when the server no longer accepts connections."""

    def __init__(self, kind: str, address: Address, outcome: Outcome) -> None:
        self.kind = kind
        self.address = address
        self.outcome = outcome
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection = socket.create_connection(self.address, timeout=30)
            except OSError:
                return  # the server no longer listens
            answered, idle_since = 0, time.monotonic()
            with connection:
                try:
                    while self._ask(connection, idle_since):
                        answered, idle_since = answered + 1, time.monotonic()
                except Idle:
                    pass
                except (OSError, HTTPException, ValueError) as error:
                    self.outcome.lost.append(f"{self.kind}, after {answered} responses: {error!r}")
                else:
                    answered += 1
            self.outcome.answered[self.kind] += answered

    def _ask(self, connection: socket.socket, idle_since: float) -> bool:
        """Send one request. Return whether the connection can be used again.

        Raises Idle, without sending, if this thread had no CPU for so long that the server may close the connection.
        """
        message = MESSAGES[self.kind]
        if time.monotonic() - idle_since > MOST_IDLE:
            raise Idle
        if self.kind == "halves":
            connection.sendall(message[: len(message) // 2])
            time.sleep(random.uniform(0, 0.2))
            message = message[len(message) // 2 :]
        connection.sendall(message)
        with HTTPResponse(connection) as response:
            response.begin()
            body = response.read()
            if response.status not in (200, 503):
                raise ValueError(f"{response.status} {body[:200]!r}")
            if self.kind == "stream" and response.status == 200 and body.count(b"\n") < 2000:
                raise ValueError("the stream was cut off")
            return not response.will_close


def stop_once(server: ServerUnderTest, limit: float = 10) -> Outcome:
    """Put the server under load, stop it, and wait until it has ended. Return the results of the clients.

    The server may take `limit` seconds.
    """
    outcome = Outcome()
    clients = [Client(kind, server.address, outcome) for kind, count in CLIENTS.items() for _ in range(count)]
    time.sleep(LOAD_SECONDS + random.uniform(0, 0.1))
    server.process.send_signal(signal.SIGTERM)
    began = time.perf_counter()
    code = server.end()
    seconds = time.perf_counter() - began
    for client in clients:
        client.thread.join(30)
    if code != 0 or seconds > limit:
        outcome.lost.append(f"exit code {code} after {seconds:.1f} s: {''.join(server.lines[-5:])}")
    return outcome


@click.command()
@click.option("--times", default=100, show_default=True, help="How many stops.")
@click.option("--framework", default="wsgi_core", show_default=True)
@click.option("--gunicorn", is_flag=True, help="Stop gunicorn instead.")
def main(times: int, framework: str, gunicorn: bool) -> None:
    """Stop servers under load, and count the requests that were lost."""
    command = gunicorn_command(framework) if gunicorn else serve_command(framework=framework, max_waiting=100)
    answered: Counter[str] = Counter()
    lost: list[str] = []
    for _ in range(times):
        with running(*command) as server:
            outcome = stop_once(server)
        answered += outcome.answered
        lost += outcome.lost
    click.echo(json.dumps({"stops": times, "answered": answered, "lost": Counter(lost)}, indent=2))
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
