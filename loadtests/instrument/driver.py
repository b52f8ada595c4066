"""Drive a WSGI application in process: answers for the comparison, and one timed block of requests.

What a request costs is everything from the call of the application to ``close()``: the body is consumed, as a
server would, and the status is checked. What the loop itself costs, the making of the environ included, is measured
with an application that does nothing, in the same rounds as every rung.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtests.instrument.exchanges import EnvironMaker, Exchange

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class WrongAnswer(Exception):
    """An answer that is not the expected one: the run has no value."""


class Answer(NamedTuple):
    """What an application said: the status line, the headers by name in order, the body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Block(NamedTuple):
    """One timed block: how many requests, and the nanoseconds of all of them together."""

    requests: int
    cpu_ns: int
    wall_ns: int


def load(factory: str, options: dict[str, Any]) -> Any:
    """Import ``"module:name"`` and call it with ``options``: the application it makes, WSGI or ASGI."""
    module, _, name = factory.partition(":")
    return getattr(import_module(module), name)(**options)


def ask(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """One request, outside of any timing. Raises ``WrongAnswer`` when ``start_response`` was never called."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        started.append((status, headers))
        return _no_write

    body = _consume(app(environ, start_response))
    if not started:
        raise WrongAnswer("start_response was not called")
    status, headers = started[-1]
    named = sorted((name.lower(), _comparable(name, value)) for name, value in headers)
    return Answer(status, named, body)


def _comparable(name: str, value: str) -> str:
    # The value of a signed cookie holds the second in which it was signed: only its name and attributes compare.
    if name.lower() != "set-cookie":
        return value
    cookie, *attributes = value.split(";")
    return ";".join([cookie.partition("=")[0], *attributes])


def _consume(result: Iterable[bytes]) -> bytes:
    try:
        return b"".join(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _no_write(data: bytes) -> object:
    raise WrongAnswer("the write callable of PEP 3333 is not measured here")


class Allowed(NamedTuple):
    """What one contender's answers may have beside the others': headers of its own, other values in JSON fields."""

    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


Ask = Callable[[Exchange], Answer]


def compare(apps: Mapping[str, WSGIApplication], exchanges: Sequence[Exchange]) -> str:
    """Ask every WSGI application the same; returns the status line they all give, or raises ``WrongAnswer``."""
    return compare_answers({name: asking(app) for name, app in apps.items()}, exchanges)


def asking(app: WSGIApplication) -> Ask:
    """A function that asks ``app`` for one exchange."""
    return lambda exchange: ask(app, EnvironMaker([exchange]).make())


def compare_answers(
    asks: Mapping[str, Ask], exchanges: Sequence[Exchange], allowed: Mapping[str, Allowed] | None = None
) -> str:
    """Ask everyone the same; returns the status line they all give.

    Raises ``WrongAnswer`` that names the contender, the request and both answers at the first difference in status
    line, headers (order and case aside) or body beyond what is ``allowed`` to a name, or when the status is not the
    one the exchange expects.
    """
    status, own = "", dict(allowed or {})
    # The first one without anything of its own is what the others are held against.
    names = sorted(asks, key=lambda name: own.get(name, Allowed()) != Allowed())
    for exchange in exchanges:
        answers = {name: asks[name](exchange) for name in names}
        (first, reference), *others = answers.items()
        if not reference.status.startswith(str(exchange.status)):
            raise WrongAnswer(f"{first}: {_where(exchange)}: expected {exchange.status}, got {reference}")
        for name, answer in others:
            if not _same(reference, answer, own.get(name, Allowed())):
                raise WrongAnswer(_difference(exchange, (first, reference), (name, answer)))
        status = reference.status
    return status


def _same(reference: Answer, answer: Answer, allowed: Allowed) -> bool:
    """Whether both are the same but for what is allowed, which has to be there."""
    own = [header for header in answer.headers if header[0] in allowed.headers]
    if len(own) != len(allowed.headers):
        return False
    answer = answer._replace(headers=[header for header in answer.headers if header not in own])
    if not allowed.fields:
        return answer == reference
    return _blanked(answer, allowed.fields) == _blanked(reference, allowed.fields)


def _blanked(answer: Answer, fields: tuple[str, ...]) -> Answer:
    """The answer with the values of the fields replaced by their types, written anew, its length checked and gone."""
    value = json.loads(answer.body)
    for name in fields:
        value[name] = type(value[name]).__name__
    written = json.dumps(json.loads(answer.body), sort_keys=True, separators=(",", ":")).encode()
    right = ("content-length", str(len(answer.body))) in answer.headers and answer.body == written + b"\n"
    headers = [header for header in answer.headers if header[0] != "content-length" or not right]
    return answer._replace(headers=headers, body=json.dumps(value).encode())


def _where(exchange: Exchange) -> str:
    return f"{exchange.method} {exchange.path} {exchange.body[:200].decode('latin-1')}".rstrip()


def _difference(exchange: Exchange, one: tuple[str, Answer], other: tuple[str, Answer]) -> str:
    lines = [f"{_where(exchange)}: the rungs do not give the same bytes"]
    lines += [f"  {name}: {answer.status} {answer.headers} {answer.body[:300]!r}" for name, answer in (one, other)]
    return "\n".join(lines)


def run_block(app: WSGIApplication, environs: EnvironMaker, requests: int, expected: str) -> Block:
    """Time ``requests`` requests, each with a fresh environ.

    Raises ``WrongAnswer`` at the first status line that is not ``expected``. The garbage collector runs within
    the block as it does in production, and starts it with an empty hand.
    """
    status = ""

    def start_response(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        nonlocal status
        status = line
        return _no_write

    gc.collect()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(requests):
        status = ""
        result = app(environs.make(), start_response)
        for _chunk in result:
            pass
        close = getattr(result, "close", None)
        if close is not None:
            close()
        if status != expected:
            raise WrongAnswer(f"expected {expected!r}, got {status!r}")
    return Block(requests, time.process_time_ns() - cpu, time.perf_counter_ns() - wall)


class WsgiTarget:
    """A WSGI application as the worker measures it."""

    def __init__(self, app: WSGIApplication, exchanges: Sequence[Exchange]) -> None:
        self.app = app
        self.environs = EnvironMaker(exchanges)

    def block(self, requests: int, expected: str) -> Block:
        """Time ``requests`` requests; raises ``WrongAnswer`` at the first status line that is not ``expected``."""
        return run_block(self.app, self.environs, requests, expected)


def freeze_heap() -> None:
    """Put everything that start-up made out of the collector's sight, so that sweeping before a block is cheap.

    In production the oldest generation is swept so rarely that its share per request is nil; here it would
    fall into single blocks.
    """
    gc.collect()
    gc.freeze()


def clock_step_ns(clock: Callable[[], int] = time.process_time_ns, ticks: int = 5) -> int:
    """The step in which ``clock`` advances, in ns: under a microsecond on Linux, about 16 ms on Windows."""
    steps = []
    for _ in range(ticks):
        before = now = clock()
        while now == before:
            now = clock()
        steps.append(now - before)
    return max(steps)
