"""One measuring process: ``python child.py loadtests.instrument.worker FOLDER`` reads job.json and writes result.json.

A *contender* is an application in an experiment. A *round* times one block of requests of each contender in random
order. Every second round has the order of the previous round backwards, so that a drift in time affects all contenders
alike. The *driver* is an application that does nothing, whose cost is subtracted. This process imports no part of the
report, because the size of its heap affects the results.

The measured code may do anything: print, exit, change the current folder, start threads. So the result goes into a
separate file, and the process ends as soon as the file is written. Exit codes:

- 0: success
- 1: the time limit was exceeded, and there is no result
- 3: an application cannot be loaded or fails
- 4: a response is missing or has an unexpected status, or responses differ that must be equal
- 5: any other error
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from loadtests.instrument import asgi
from loadtests.instrument.app_loader import AppError, is_asgi, load_function
from loadtests.instrument.driver import (
    Allowed,
    Block,
    Response,
    WrongResponse,
    WsgiTarget,
    check_status,
    clock_step_ns,
    compare,
    freeze_heap,
    resolve,
)  # fmt: skip
from loadtests.instrument.eviction import Eviction, evictor
from loadtests.instrument.experiment import ANY, ASGI, WSGI, Contender
from loadtests.instrument.request import Evict, Request
from loadtests.rungs.work import driver_app

# The minimum length of a block in steps of the clock, so that the clock's resolution does not matter.
STEPS_IN_A_BLOCK = 50
# A run first compares the responses to all requests. Then each measuring process compares this number of responses.
COMPARED_WHEN_MEASURING = 10
# Contender 0 of every experiment is an application that does nothing.
DRIVER = "driver"


T = TypeVar("T")


class Target(Protocol):
    """An application that is called in process: a ``WsgiTarget`` or an ``AsgiTarget``."""

    def ask(self, request: Request) -> Response: ...
    def prepare(self, requests: Sequence[Request], statuses: Sequence[str], evict: Evict | None) -> None: ...
    def block(self, requests: int) -> Block: ...


@dataclass
class State:
    """The process state that an application may change.

    ``folder`` is the current folder. ``collects`` says whether the garbage collector is enabled.
    """

    folder: str
    collects: bool = True


class Candidate:
    """A contender together with its application, which ``make`` returns.

    ``state`` is the process state of the application. This state is restored before each call of the application. After
    the call, ``state`` gets what the application left behind. If an application is a contender twice, both contenders
    share the state.
    """

    def __init__(self, contender: Contender, make: Callable[..., Any], state: State) -> None:
        self.contender, self.name, self._state = contender, contender.name, state
        app: Any = self._guarded(f"{self.name} cannot be loaded", lambda: make(**contender.options))
        asynchronous = is_asgi(app) if contender.protocol == ANY else contender.protocol == ASGI
        self.protocol = ASGI if asynchronous else WSGI
        kind: Callable[[Any], Target] = asgi.AsgiTarget if asynchronous else WsgiTarget
        self.target = self._guarded(f"{self.name} does not start", lambda: kind(app))

    def ask(self, request: Request) -> Response:
        """Send one request without timing it, and return the response.

        Raises ``AppError`` if the application raises or exits. Raises ``WrongResponse`` if the response is missing, or
        if its status is not the expected status.
        """
        response = self._guarded(f"{self.name} fails at {request}", lambda: self.target.ask(request))
        if not self.contender.is_driver:
            check_status(self.name, request, response)
        return response

    def block(self, requests: int) -> Block:
        """Time ``requests`` requests. Raises the same exceptions as ``ask``."""
        return self._guarded(f"{self.name} fails during the measurement", lambda: self.target.block(requests))

    def _guarded(self, failing: str, work: Callable[[], T]) -> T:
        """Call ``work()`` in the process state of this application, and return its result.

        Before the call, the state that the application had after its previous call is restored. After the call, the new
        state is saved. Raises ``AppError`` for an exception of the application, including SystemExit; ``failing``
        begins its message. KeyboardInterrupt and ``WrongResponse`` are raised unchanged.
        """
        os.chdir(self._state.folder)
        (gc.enable if self._state.collects else gc.disable)()
        try:
            return work()
        except AppError as error:
            raise AppError(f"{self.name}: {error}") from error
        except (WrongResponse, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise AppError(f"{failing}:\n{_own_part(error)}") from error
        finally:
            self._state.folder, self._state.collects = os.getcwd(), gc.isenabled()
            gc.enable()


class Bench:
    """The contenders of one experiment.

    The constructor sends requests to the contenders and, if required, compares the responses. If ``compared`` is given,
    only the first ``compared`` requests are sent. But if at least one request accepts any 2xx, all requests are sent.
    ``mark`` is called with a short text before each stage. Call ``calibrate`` before ``rounds``.
    """

    def __init__(
        self,
        experiment: dict[str, Any],
        makers: Mapping[str, Callable[..., Any]],
        compared: int | None = None,
        mark: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.key: str = experiment["key"]
        self.requests = [Request.from_json(values) for values in experiment["requests"]]
        self.mark = mark
        self.states: dict[str, State] = {}
        self.folder = os.getcwd()
        contenders = [Contender(**one) for one in experiment["contenders"]]
        self.candidates = [self._candidate(one, makers[one.factory]) for one in contenders]
        # If any 2xx is accepted, all requests are sent once. From then on, the statuses found are expected.
        asked = self.requests if any(not request.status for request in self.requests) else self.requests[:compared]
        self.responses = {one.name: self._ask(one, asked) for one in self.candidates}
        if experiment["alike"]:
            self._compare(asked)
        first = next(one.name for one in self.candidates if not one.contender.is_driver)
        status = self._statuses(first)[0]
        driver = self._candidate(Contender(DRIVER, "", {"status": status}), driver_app)
        self.timed = [driver, *self.candidates]
        evict = evictor(Eviction(*experiment["evict"]))
        driver.target.prepare(self.requests, [status] * len(self.requests), evict)
        for one in self.candidates:
            one.target.prepare(self.requests, self._statuses(one.name), evict)
        self.lengths: list[int] = []

    def _candidate(self, contender: Contender, make: Callable[..., Any]) -> Candidate:
        self.mark(f"loading {contender.name}")
        # If an application is a contender twice, both contenders share its process state.
        key = f"{contender.factory} {contender.options}"
        return Candidate(contender, make, self.states.setdefault(key, State(self.folder)))

    def _ask(self, one: Candidate, requests: Sequence[Request]) -> list[Response]:
        self.mark(f"asking {one.name}")
        return [one.ask(request) for request in requests]

    def _statuses(self, name: str) -> list[str]:
        """Return the status line that the contender ``name`` must send for each request.

        A request that the constructor did not send gets the status line of a sent request with the same ``status``.
        """
        lines = [response.status for response in self.responses[name]]
        known = dict(zip((request.status for request in self.requests), lines, strict=False))
        return lines if len(lines) == len(self.requests) else [known[request.status] for request in self.requests]

    def _compare(self, asked: Sequence[Request]) -> None:
        compared = [one.contender for one in self.candidates if one.contender.compared and not one.contender.is_driver]
        allowed = {one.name: Allowed(tuple(one.own_headers), tuple(one.own_fields)) for one in compared}
        compare({one.name: self.responses[one.name] for one in compared}, asked, allowed)

    def answered(self) -> dict[str, Any]:
        """Return the fields of ``inprocess.Answered`` for each contender. The keys are the contenders' names."""
        reference = next(iter(self.responses.values()))
        return {
            one.name: {
                "protocol": one.protocol,
                "differences": [
                    f"{request}: {_what_differs(left, right)}"
                    for request, left, right in zip(self.requests, reference, self.responses[one.name], strict=False)
                    if left != right
                ],
            }
            for one in self.candidates
        }

    def calibrate(self, block_ns: int, warm_up: float) -> None:
        """Warm up each contender for ``warm_up`` seconds, and choose how many requests take about ``block_ns``."""
        for one in self.timed:
            self.mark(f"warming up {one.name}")
            ends = time.perf_counter() + warm_up
            cost = _cost(one, 1)
            while time.perf_counter() < ends:
                cost = _cost(one, max(1, min(50, round(block_ns / cost))))
            self.lengths.append(max(1, round(block_ns / cost)))

    def rounds(self, seconds: float, rng: random.Random, reset: Callable[[], object]) -> list[list[int]]:
        """Measure an even number of rounds, at least two, for about ``seconds``. Call ``reset`` after each round.

        Return the blocks as [round, contender, requests, CPU ns, wall ns].
        """
        self.mark(f"measuring {', '.join(one.name for one in self.candidates)}")
        blocks: list[list[int]] = []
        ends = time.perf_counter() + seconds
        for number, order in enumerate(balanced_orders(len(self.timed), rng)):
            if number % 2 == 0 and number >= 2 and time.perf_counter() >= ends:
                break
            for contender in order:
                blocks.append([number, contender, *self.timed[contender].block(self.lengths[contender])])
            reset()
        return blocks


def makers_of(experiments: Sequence[dict[str, Any]]) -> dict[str, Callable[..., Any]]:
    """Return the functions that make the applications, by their names.

    Call this function before any application is made: a user's package may have the same name as a package of this
    project.
    """
    factories = {contender["factory"] for experiment in experiments for contender in experiment["contenders"]}
    return {factory: resolve(factory) for factory in sorted(factories)}


def _cost(one: Candidate, requests: int) -> float:
    # The time that a block reports does not include the evictions.
    before = time.perf_counter_ns()
    one.block(requests)
    return max((time.perf_counter_ns() - before) / requests, 100.0)


def balanced_orders(contenders: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield orders of the contenders without end: a random order, the same order backwards, a new random order, ..."""
    while True:
        order = list(range(contenders))
        rng.shuffle(order)
        yield order
        yield order[::-1]


def _own_part(error: BaseException) -> str:
    """Return the traceback of an application's error, without the worker's own frames at its beginning.

    If ``error`` is SystemExit, return a sentence instead.
    """
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code!r}), which would end the server"
    frames = list(itertools.dropwhile(_is_ours, traceback.extract_tb(error.__traceback__)))
    shown = traceback.StackSummary.from_list(frames).format()
    return "".join([*shown, *traceback.format_exception_only(error)]).rstrip()


_HERE = os.path.dirname(os.path.abspath(__file__))


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_HERE) or "importlib" in frame.filename or frame.filename.startswith("<frozen")


def _what_differs(one: Response, other: Response) -> str:
    if one.status != other.status:
        return f"{one.status} and {other.status}"
    if one.body != other.body:
        return f"different bodies of {len(one.body)} and {len(other.body)} bytes"
    names = sorted({name for name, _ in set(one.headers) ^ set(other.headers)})
    return f"different headers: {', '.join(names)}"


def carry_out(job: dict[str, Any], mark: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Carry out a job and return its result as a dict.

    If the job's ``seconds`` is 0, send each request once to each contender. Then the result has ``answers``: what
    ``Bench.answered`` returns, by the experiment's key. Otherwise measure each experiment for ``seconds``, and return
    the dict of ``_timed``. ``mark`` is called with a short text before each stage, such as "loading Flask".
    """
    makers = makers_of(job["experiments"])
    mark("running --setup")
    load_function(job["hooks"]["setup"])()
    compared = COMPARED_WHEN_MEASURING if job["seconds"] else None
    benches = [Bench(experiment, makers, compared, mark) for experiment in job["experiments"]]
    if not job["seconds"]:
        return {"answers": {bench.key: bench.answered() for bench in benches}}
    return _timed(benches, job, load_function(job["hooks"]["reset"]))


def _timed(benches: Sequence[Bench], job: dict[str, Any], reset: Callable[[], object]) -> dict[str, Any]:
    """Measure the experiments of ``benches`` in random order.

    Return a dict for the result file. ``samples`` has the blocks of each experiment by its key. ``clock`` is the clock
    that the analysis must use, "cpu" or "wall". ``clock_step_ns`` is the resolution of the CPU clock.
    """
    step = clock_step_ns()
    block_ns = round(job["block_ms"] * 1e6)
    rng = random.Random(job["seed"])
    freeze_heap()
    samples = {}
    for bench in rng.sample(benches, len(benches)):
        bench.calibrate(block_ns, job["warm_up"])
        samples[bench.key] = bench.rounds(job["seconds"], rng, reset)
    clock = "cpu" if step * STEPS_IN_A_BLOCK <= block_ns else "wall"
    return {"clock": clock, "clock_step_ns": step, "samples": samples}


def main(folder: Path) -> int:
    """Carry out the job in ``folder``, write its result to the same folder, and return the exit code."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    # A process that exceeds its limit writes the traceback of each thread to this file, and ends.
    log = (folder / "hangs.txt").open("w", encoding="utf-8")
    faulthandler.dump_traceback_later(job["limit"], exit=True, file=log)
    code, found = _attempted(job, lambda text: (folder / "stage.txt").write_text(text, encoding="utf-8"))
    (folder / "result.json").write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
    return code


def _attempted(job: dict[str, Any], mark: Callable[[str], object]) -> tuple[int, dict[str, Any]]:
    try:
        return 0, carry_out(job, mark)
    except AppError as error:
        return 3, {"error": str(error)}
    except WrongResponse as error:
        return 4, {"error": str(error)}
    except BaseException as error:
        return 5, {"error": "".join(traceback.format_exception(error)).rstrip()}


if __name__ == "__main__":
    _folder = Path(sys.argv[1]).resolve()
    sys.argv = sys.argv[:1]
    # Not sys.exit(): the application's threads and atexit handlers must not keep this process alive.
    os._exit(main(_folder))
