"""Call a WSGI application in process: get responses to compare, and time blocks of requests.

The *driver* is this code. A timed request is the call of the application, the iteration over the body, and ``close()``,
as in a server. The driver also makes the environ and checks the status. To find the driver's own cost, an application
that does nothing is timed too. This cost is subtracted.
"""

from __future__ import annotations

import gc
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from statistics import median_low
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication

from loadtests.instrument.request import EnvironMaker, Evict, Request


class WrongResponse(Exception):
    """A response is not as expected, so the measurement is not valid."""


class Response(NamedTuple):
    """A response to compare: the status line, the sorted headers with names in lower case, and the body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Block(NamedTuple):
    """A timed block: the number of requests, and their total CPU time and wall time in ns."""

    requests: int
    cpu_ns: int
    wall_ns: int


def resolve(factory: str) -> Callable[..., Any]:
    """Import the function ``"module:name"``, which makes an application, and return the function."""
    module, _, name = factory.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def ask(app: WSGIApplication, request: Request) -> Response:
    """Send one request without timing it, and return the response without the values of its cookies.

    Raises ``WrongResponse`` if the application does not call ``start_response``, or if it calls ``write()``.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        started.append((status, headers))
        return _no_write

    environ, _ = EnvironMaker([request]).make()
    chunks: list[bytes] = []
    consume(app(environ, start_response), chunks.extend)
    if not started:
        raise WrongResponse("start_response was not called")
    status, headers = started[-1]
    named = sorted((name.lower(), _comparable(name, value)) for name, value in headers)
    return Response(status, named, b"".join(chunks))


def _comparable(name: str, value: str) -> str:
    # A signed cookie contains the time of its signature, so only its name and attributes are compared.
    if name.lower() != "set-cookie":
        return value
    cookie, *attributes = value.split(";")
    return ";".join([cookie.partition("=")[0], *attributes])


_discard = deque[bytes](maxlen=0).extend


def consume(result: Iterable[bytes], use: Callable[[Iterable[bytes]], None] = _discard) -> None:
    """Pass an application's result to ``use``, and then close the result, as a server does."""
    try:
        use(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _no_write(data: bytes) -> object:
    raise WrongResponse("the write() callable of PEP 3333 is not supported")


# Comparing responses


class Allowed(NamedTuple):
    """How the responses of one application may differ from those of the other applications.

    The responses of this application must have the additional ``headers``. The values of the JSON ``fields`` may
    differ, but not their types.
    """

    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


def compare(
    responses: Mapping[str, Sequence[Response]],
    requests: Sequence[Request],
    allowed: Mapping[str, Allowed] | None = None,
) -> None:
    """Raise ``WrongResponse`` if the responses of two applications to the same request differ.

    The keys of ``responses`` and ``allowed`` are the applications' names. Each application is compared with a
    reference: the first application without allowed differences or, if there is none, the first application. The status
    lines, headers and bodies must be equal, except for the differences in ``allowed``. The order of the headers and the
    case of their names do not matter.

    If an application has allowed ``fields`` and a compared body is not a JSON object with these fields, another
    exception is raised, such as ValueError or KeyError.
    """
    own = dict(allowed or {})
    # The other contenders are compared with the first contender that has no allowed differences.
    first, *others = sorted(responses, key=lambda name: own.get(name, Allowed()) != Allowed())
    for number, request in enumerate(requests):
        reference = responses[first][number]
        for name in others:
            if not _same(reference, responses[name][number], own.get(name, Allowed())):
                raise WrongResponse(_difference(request, (first, reference), (name, responses[name][number])))


def check_status(name: str, request: Request, response: Response) -> None:
    """Raise ``WrongResponse`` if ``response`` does not have the status that ``request`` expects.

    ``name`` is the application's name for the message.
    """
    if not request.expects(response.status.partition(" ")[0]):
        raise WrongResponse(
            f"{name} responds with {response.status} to {request}, expected {request.status or '2xx'}. The body:\n"
            f"{response.body[:500].decode('utf-8', 'replace').strip() or '(an empty body)'}"
        )


def _same(reference: Response, response: Response, allowed: Allowed) -> bool:
    """Return whether the responses are equal, except for the differences in ``allowed``.

    If ``response`` lacks a header in ``allowed.headers``, return False.
    """
    own = [header for header in response.headers if header[0] in allowed.headers]
    if len(own) != len(allowed.headers):
        return False
    response = response._replace(headers=[header for header in response.headers if header not in own])
    if not allowed.fields:
        return response == reference
    return _blanked(response, allowed.fields) == _blanked(reference, allowed.fields)


def _blanked(response: Response, fields: tuple[str, ...]) -> Response:
    """Return the response with the values of the JSON ``fields`` replaced by the names of their types.

    Content-Length depends on the values, so a correct Content-Length is removed. Content-Length is kept if the body
    does not have the format of ``rungs.work.to_json``.
    """
    value = json.loads(response.body)
    for name in fields:
        value[name] = type(value[name]).__name__
    written = json.dumps(json.loads(response.body), sort_keys=True, separators=(",", ":")).encode()
    right = ("content-length", str(len(response.body))) in response.headers and response.body == written + b"\n"
    headers = [header for header in response.headers if header[0] != "content-length" or not right]
    return response._replace(headers=headers, body=json.dumps(value).encode())


def _difference(request: Request, one: tuple[str, Response], other: tuple[str, Response]) -> str:
    where = f"{request} {request.body[:200].decode('latin-1')}".rstrip()
    lines = [f"{where}: the contenders' responses differ"]
    lines += [f"  {name}: {found.status} {found.headers} {found.body[:300]!r}" for name, found in (one, other)]
    return "\n".join(lines)


# Timing


def run_block(app: WSGIApplication, environs: EnvironMaker, requests: int) -> Block:
    """Time ``requests`` requests, each with a new environ.

    The garbage collector runs within the block, as in production. It also runs before the block, so that no block
    collects the garbage of another block. Raises ``WrongResponse`` at the first unexpected status line.
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
        consume(app(environ, start_response))
        if status != expected:
            raise WrongResponse(f"expected {expected!r}, got {status!r}")
    return Block(requests, time.process_time_ns() - cpu, time.perf_counter_ns() - wall)


def run_cold_block(app: WSGIApplication, environs: EnvironMaker, requests: int) -> Block:
    """Time each of ``requests`` requests separately, and add up the times.

    The times include neither the making of the environ nor the eviction of the CPU caches before it. Raises
    ``WrongResponse`` at the first unexpected status line.
    """
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
        consume(app(environ, start_response))
        cpu, wall = cpu + time.process_time_ns() - cpu_before, wall + time.perf_counter_ns() - wall_before
        if status != expected:
            raise WrongResponse(f"expected {expected!r}, got {status!r}")
    return Block(requests, cpu, wall)


class WsgiTarget:
    """A WSGI application that is measured. ``ask`` returns its response to a request. ``block`` times many requests."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def ask(self, request: Request) -> Response:
        return ask(self.app, request)

    def prepare(self, requests: Sequence[Request], statuses: Sequence[str], evict: Evict | None) -> None:
        """Set the requests to time. ``statuses`` has the expected status line of each request.

        If ``evict`` is given, it is called before each request.
        """
        self.environs = EnvironMaker(requests, statuses, evict)

    def block(self, requests: int) -> Block:
        """Time ``requests`` requests. Raises ``WrongResponse`` at the first unexpected status line."""
        run = run_cold_block if self.environs.evict else run_block
        return run(self.app, self.environs, requests)


def freeze_heap() -> None:
    """Exclude all objects that exist now from garbage collection.

    In production, the oldest generation is collected so rarely that its cost per request is negligible. Here, such a
    collection would fall into a single block.
    """
    gc.collect()
    gc.freeze()


def clock_step_ns(clock: Callable[[], int] = time.process_time_ns, ticks: int = 5) -> int:
    """Return the resolution of ``clock`` in ns: the median of ``ticks`` steps of the clock."""
    steps = []
    for _ in range(ticks):
        before = now = clock()
        while now == before:
            now = clock()
        steps.append(now - before)
    # Not the maximum: one interruption of the process must not make a fine clock look coarse.
    return median_low(steps)
