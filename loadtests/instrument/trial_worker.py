"""One measuring process of a trial: orders as JSON on standard input, samples as JSON on standard output.

Like ``worker.py``, whose rounds it has, but for any application and any request: contenders may be told to answer
alike or be allowed to differ, each with the status that it gave when it was first asked. Exit codes: 0; 3 an
application cannot be loaded or fails; 4 answers differ that must not.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loadtests.instrument.app_loader import AppError
from loadtests.instrument.driver import Answer, WrongAnswer, ask, compare, load, run_block
from loadtests.instrument.exchanges import EnvironMaker
from loadtests.instrument.request import Request
from loadtests.instrument.worker import DRIVER, balanced_orders, timed
from loadtests.rungs.work import driver_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# More than the caches next to one core hold, on today's processors.
COLD_BYTES = 4 << 20
LINE = 64
COMPARED = 10


class ColdEnvironMaker(EnvironMaker):
    """Walks through a large piece of memory before each request, as if others had had the processor meanwhile."""

    def __init__(self, requests: Sequence[Request]) -> None:
        super().__init__(requests)
        self._memory = bytearray(COLD_BYTES)

    def make(self) -> WSGIEnvironment:
        """A fresh environ, in cold caches."""
        environ = super().make()
        self._memory[::LINE] = self._memory[LINE - 1 :: LINE]
        return environ


class Bench:
    """The contenders of one trial with the status that each of them gives."""

    def __init__(self, trial: dict[str, Any], compared: int | None) -> None:
        self.key: str = trial["key"]
        self.requests = [Request.from_json(values) for values in trial["requests"]]
        self.rungs = {one["name"]: _load(one) for one in trial["contenders"]}
        self.answers = {name: self._ask_all(name, app, compared) for name, app in self.rungs.items()}
        if trial["alike"]:
            alike = {name: app for name, app in self.rungs.items() if name not in trial["alone"]}
            compare(alike, self.requests[:compared])
        self.expected = {name: answers[0].status for name, answers in self.answers.items()}
        first = next(iter(self.expected.values()))
        self.apps: dict[str, WSGIApplication] = {DRIVER: driver_app(first), **self.rungs}
        self.expected[DRIVER] = first
        self.environs = (ColdEnvironMaker if trial["cold"] else EnvironMaker)(self.requests)
        self.lengths: dict[str, int] = {}

    def _ask_all(self, name: str, app: WSGIApplication, compared: int | None) -> list[Answer]:
        answers = [_ask(name, app, request) for request in self.requests[:compared]]
        statuses = sorted({answer.status for answer in answers})
        if len(statuses) > 1:
            text = f"{name} answers these requests with {' and with '.join(statuses)}: measure them one by one"
            raise AppError(f"{text}, each in a file of its own")
        return answers

    def answered(self) -> dict[str, Any]:
        """For each contender its status, the length of its first body, and where it differs from the first one."""
        reference = next(iter(self.answers.values()))
        return {
            name: {
                "status": answers[0].status,
                "length": len(answers[0].body),
                "differences": [
                    f"{request.method} {request.path}: {_what_differs(one, other)}"
                    for request, one, other in zip(self.requests, reference, answers, strict=False)
                    if one != other
                ],
            }
            for name, answers in self.answers.items()
        }

    def calibrate(self, block_ns: int, warm_up: float) -> None:
        """Warm every contender up for ``warm_up`` seconds and choose blocks of ``block_ns`` for each."""
        for name in self.apps:
            ends = time.perf_counter() + warm_up
            cost = self._cost(name, 1)
            while time.perf_counter() < ends:
                cost = self._cost(name, max(1, min(50, round(block_ns / cost))))
            self.lengths[name] = max(1, round(block_ns / cost))

    def _cost(self, name: str, requests: int) -> float:
        block = run_block(self.apps[name], self.environs, requests, self.expected[name])
        return max(block.wall_ns / requests, 100.0)

    def rounds(self, seconds: float, dice: random.Random) -> list[list[int]]:
        """Blocks [round, contender, requests, CPU ns, wall ns] for ``seconds``; always an even number of rounds."""
        blocks: list[list[int]] = []
        ends = time.perf_counter() + seconds
        names = list(self.apps)
        for number, order in enumerate(balanced_orders(len(names), dice)):
            if number % 2 == 0 and number >= 2 and time.perf_counter() >= ends:
                break
            for contender in order:
                name = names[contender]
                block = run_block(self.apps[name], self.environs, self.lengths[name], self.expected[name])
                blocks.append([number, contender, *block])
        return blocks


def _load(contender: dict[str, Any]) -> WSGIApplication:
    try:
        app: WSGIApplication = load(contender["factory"], contender["options"])
    except AppError as error:
        raise AppError(f"{contender['name']}: {error}") from error
    except Exception as error:
        raise AppError(f"{contender['name']} cannot be loaded:\n{_own_part(error)}") from error
    return app


def _ask(name: str, app: WSGIApplication, request: Request) -> Answer:
    try:
        answer = ask(app, EnvironMaker([request]).make())
    except Exception as error:
        raise AppError(f"{name} fails at {request.method} {request.path}:\n{_own_part(error)}") from error
    if answer.status.startswith("5"):
        body = answer.body[:500].decode("utf-8", "replace").strip()
        raise AppError(
            f"{name} answers {answer.status} to {request.method} {request.path}; an error is not worth timing:\n{body}"
        )
    return answer


def _own_part(error: Exception) -> str:
    """The traceback without what this process itself was doing."""
    frames = list(itertools.dropwhile(_is_ours, traceback.extract_tb(error.__traceback__)))
    shown = traceback.StackSummary.from_list(frames).format()
    return "".join([*shown, *traceback.format_exception_only(error)]).rstrip()


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return "loadtests" in frame.filename or "importlib" in frame.filename


def _what_differs(one: Answer, other: Answer) -> str:
    if one.status != other.status:
        return f"{one.status} and {other.status}"
    if one.body != other.body:
        return f"bodies of {len(one.body)} and {len(other.body)} bytes that differ"
    names = sorted({name for name, _ in set(one.headers) ^ set(other.headers)})
    return f"headers that differ: {', '.join(names)}"


def carry_out(orders: dict[str, Any]) -> dict[str, Any]:
    """Ask every contender; if ``seconds`` is above 0, measure each trial that long."""
    seconds = orders["seconds"]
    benches = [Bench(trial, COMPARED if seconds else None) for trial in orders["trials"]]
    if not seconds:
        return {"answers": {bench.key: bench.answered() for bench in benches}}
    return timed(benches, orders)


def main() -> int:
    """Exit code 0 with the samples on standard output, 3 and 4 with the reason on standard error."""
    orders = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    # What an application prints must not get between the samples.
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        answer = carry_out(orders)
    except AppError as error:
        print(f"\0{error}", file=sys.stderr)
        return 3
    except WrongAnswer as error:
        print(f"\0{error}", file=sys.stderr)
        return 4
    json.dump(answer, out, separators=(",", ":"))
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
