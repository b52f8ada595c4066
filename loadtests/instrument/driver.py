"""Drive a WSGI application in process: responses for the comparison, and one timed block of requests.

What a request costs is everything from the call of the application to ``close()``: the body is consumed, as a
server would, and the status is checked. What the loop itself costs, the making of the environ included, is measured
with an application that does nothing, in the same rounds as every contender.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from statistics import median_low
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtests.instrument.request import EnvironMaker, Evict, Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WrongResponse(Exception):
    """A response that is not the expected one: the run has no value."""


class Response(NamedTuple):
    """What an application said: the status line, the headers by name in order, the body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Block(NamedTuple):
    """One timed block: how many requests, and the nanoseconds of all of them together."""

    requests: int
    cpu_ns: int
    wall_ns: int


def resolve(factory: str) -> Callable[..., Any]:
    """Import the function ``"module:name"`` that makes an application."""
    module, _, name = factory.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def ask(app: WSGIApplication, request: Request) -> Response:
    """Make one request, untimed. Raises ``WrongResponse`` when ``start_response`` was never called."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        started.append((status, headers))
        return _no_write

    environ, _ = EnvironMaker([request]).make()
    body = _consume(app(environ, start_response))
    if not started:
        raise WrongResponse("start_response was not called")
    status, headers = started[-1]
    named = sorted((name.lower(), _comparable(name, value)) for name, value in headers)
    return Response(status, named, body)


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
    raise WrongResponse("the write callable of PEP 3333 is not measured here")


# Comparing responses


class Allowed(NamedTuple):
    """What the responses of a contender may have of their own: headers, and other values in JSON fields."""

    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


def compare(
    responses: Mapping[str, Sequence[Response]],
    requests: Sequence[Request],
    allowed: Mapping[str, Allowed] | None = None,
) -> None:
    """Hold the responses of every contender, in the order of the requests, against each other.

    Raises ``WrongResponse`` that names the contender, the request and both responses at the first difference in status
    line, headers (order and case aside) or body beyond what is ``allowed`` to a name.
    """
    own = dict(allowed or {})
    # The first contender without anything of its own is what the others are held against.
    first, *others = sorted(responses, key=lambda name: own.get(name, Allowed()) != Allowed())
    for number, request in enumerate(requests):
        reference = responses[first][number]
        for name in others:
            if not _same(reference, responses[name][number], own.get(name, Allowed())):
                raise WrongResponse(_difference(request, (first, reference), (name, responses[name][number])))


def check_status(name: str, request: Request, response: Response) -> None:
    """Raise ``WrongResponse`` with what came back if the status is not the one that the request expects."""
    if not request.expects(response.status.partition(" ")[0]):
        raise WrongResponse(
            f"{name} answers {response.status} to {request}, expected {request.status or '2xx'}. What it said:\n"
            f"{response.body[:500].decode('utf-8', 'replace').strip() or '(an empty body)'}"
        )


def _same(reference: Response, response: Response, allowed: Allowed) -> bool:
    """Return whether both are the same but for what is allowed, which has to be there."""
    own = [header for header in response.headers if header[0] in allowed.headers]
    if len(own) != len(allowed.headers):
        return False
    response = response._replace(headers=[header for header in response.headers if header not in own])
    if not allowed.fields:
        return response == reference
    return _blanked(response, allowed.fields) == _blanked(reference, allowed.fields)


def _blanked(response: Response, fields: tuple[str, ...]) -> Response:
    """Return the response with the fields' values replaced by their types, its length checked and removed."""
    value = json.loads(response.body)
    for name in fields:
        value[name] = type(value[name]).__name__
    written = json.dumps(json.loads(response.body), sort_keys=True, separators=(",", ":")).encode()
    right = ("content-length", str(len(response.body))) in response.headers and response.body == written + b"\n"
    headers = [header for header in response.headers if header[0] != "content-length" or not right]
    return response._replace(headers=headers, body=json.dumps(value).encode())


def _difference(request: Request, one: tuple[str, Response], other: tuple[str, Response]) -> str:
    where = f"{request} {request.body[:200].decode('latin-1')}".rstrip()
    lines = [f"{where}: the contenders do not give the same bytes"]
    lines += [f"  {name}: {found.status} {found.headers} {found.body[:300]!r}" for name, found in (one, other)]
    return "\n".join(lines)


# Timing


def run_block(app: WSGIApplication, environs: EnvironMaker, requests: int) -> Block:
    """Time ``requests`` requests, each with a fresh environ.

    Raises ``WrongResponse`` at the first status line that is not the expected one. The garbage collector runs within
    the block as it does in production, and starts it with nothing to do.
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
        environ, expected = environs.make()
        result = app(environ, start_response)
        for _chunk in result:
            pass
        close = getattr(result, "close", None)
        if close is not None:
            close()
        if status != expected:
            raise WrongResponse(f"expected {expected!r}, got {status!r}")
    return Block(requests, time.process_time_ns() - cpu, time.perf_counter_ns() - wall)


def run_cold_block(app: WSGIApplication, environs: EnvironMaker, requests: int) -> Block:
    """Time ``requests`` requests one by one, so that what is evicted before each of them is not counted."""
    status, cpu, wall = "", 0, 0

    def start_response(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        nonlocal status
        status = line
        return _no_write

    gc.collect()
    for _ in range(requests):
        status = ""
        environ, expected = environs.make()
        wall_before, cpu_before = time.perf_counter_ns(), time.process_time_ns()
        result = app(environ, start_response)
        for _chunk in result:
            pass
        close = getattr(result, "close", None)
        if close is not None:
            close()
        cpu, wall = cpu + time.process_time_ns() - cpu_before, wall + time.perf_counter_ns() - wall_before
        if status != expected:
            raise WrongResponse(f"expected {expected!r}, got {status!r}")
    return Block(requests, cpu, wall)


class WsgiTarget:
    """A WSGI application as the worker measures it."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def ask(self, request: Request) -> Response:
        """Make one request, untimed."""
        return ask(self.app, request)

    def prepare(self, requests: Sequence[Request], statuses: Sequence[str], evict: Evict | None) -> None:
        """Get ready to be timed with ``requests``, each of which must get its status line."""
        self.environs = EnvironMaker(requests, statuses, evict)

    def block(self, requests: int) -> Block:
        """Time ``requests`` requests; raises ``WrongResponse`` at the first status line that is not expected."""
        run = run_cold_block if self.environs.evict else run_block
        return run(self.app, self.environs, requests)


def freeze_heap() -> None:
    """Hide everything that start-up made from the garbage collector, so that sweeping before a block is cheap.

    In production the oldest generation is swept so rarely that its share per request is nil; here it would
    fall into single blocks.
    """
    gc.collect()
    gc.freeze()


def clock_step_ns(clock: Callable[[], int] = time.process_time_ns, ticks: int = 5) -> int:
    """Return the step in which ``clock`` advances, in ns: under a microsecond on Linux, about 16 ms on Windows."""
    steps = []
    for _ in range(ticks):
        before = now = clock()
        while now == before:
            now = clock()
        steps.append(now - before)
    # Not the largest: one interruption of the process must not make a fine clock look coarse.
    return median_low(steps)
