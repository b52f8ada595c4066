"""One measuring process: reads its orders from standard input, writes its samples to standard output, both JSON.

Started by ``inprocess.py``, several times with different hash seeds. A round holds one block of each contender
in random order, and every second round repeats the order of the one before backwards: what drifts in time hits
all contenders alike. The heap of a worker is small on purpose: it imports the rungs and nothing of the report.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from loadtests.instrument import asgi
from loadtests.instrument.driver import (
    Allowed,
    Ask,
    WrongAnswer,
    WsgiTarget,
    asking,
    clock_step_ns,
    compare_answers,
    freeze_heap,
    load,
)  # fmt: skip
from loadtests.instrument.exchanges import Exchange, for_case
from loadtests.rungs.work import driver_app
from loadtests.studies import Contender

# A block is worth many steps of the clock, or the clock's step is what is measured.
STEPS_IN_A_BLOCK = 50
# The answers to every row are compared once for a run; a measuring process makes sure of its own with so many.
COMPARED_WHEN_MEASURING = 10
# Contender number 0 of every experiment: the application that does nothing.
DRIVER = "driver"

Target = WsgiTarget | asgi.AsgiTarget


class Timeable(Protocol):
    """Contenders that are timed in rounds."""

    key: str

    def calibrate(self, block_ns: int, warm_up: float) -> None: ...
    def rounds(self, seconds: float, dice: random.Random) -> list[list[int]]: ...


class Bench:
    """The contenders of one experiment, warmed up, with the length of their blocks settled."""

    def __init__(self, experiment: dict[str, Any], rows: list[dict[str, Any]], compared: int | None = None) -> None:
        self.key: str = experiment["key"]
        exchanges = for_case(experiment["case"], rows)
        contenders = [_Contender(Contender(**contender), exchanges) for contender in experiment["contenders"]]
        asks = {one.name: one.ask for one in contenders if one.compared}
        allowed = {one.name: one.allowed for one in contenders}
        self.expected = compare_answers(asks, exchanges[:compared], allowed)
        driver = WsgiTarget(driver_app(self.expected), exchanges)
        self.targets: dict[str, Target] = {DRIVER: driver, **{one.name: one.target for one in contenders}}
        self.lengths: dict[str, int] = {}

    def calibrate(self, block_ns: int, warm_up: float) -> None:
        """Warm every contender up for ``warm_up`` seconds and choose blocks of ``block_ns`` for each."""
        for name in self.targets:
            ends = time.perf_counter() + warm_up
            cost = self._block_cost(name, 20)
            while time.perf_counter() < ends:
                cost = self._block_cost(name, 50)
            self.lengths[name] = max(1, round(block_ns / cost))

    def _block_cost(self, name: str, requests: int) -> float:
        block = self.targets[name].block(requests, self.expected)
        return max(block.wall_ns / requests, 100.0)

    def rounds(self, seconds: float, dice: random.Random) -> list[list[int]]:
        """Blocks [round, contender, requests, CPU ns, wall ns] for ``seconds``; always an even number of rounds."""
        blocks: list[list[int]] = []
        ends = time.perf_counter() + seconds
        names = list(self.targets)
        for number, order in enumerate(balanced_orders(len(names), dice)):
            if number % 2 == 0 and number >= 2 and time.perf_counter() >= ends:
                return blocks
            for contender in order:
                name = names[contender]
                blocks.append([number, contender, *self.targets[name].block(self.lengths[name], self.expected)])
        return blocks


class _Contender:
    """One application of the orders: how it is asked, and how it is timed."""

    def __init__(self, contender: Contender, exchanges: list[Exchange]) -> None:
        app = load(contender.factory, contender.options)
        self.name = contender.name
        self.compared = not contender.is_driver
        self.allowed = Allowed(tuple(contender.own_headers), tuple(contender.own_fields))
        if contender.protocol == "asgi":
            self.ask: Ask = partial(asgi.ask, app)
            self.target: Target = asgi.AsgiTarget(app, exchanges)
        else:
            self.ask = asking(app)
            self.target = WsgiTarget(app, exchanges)


def balanced_orders(contenders: int, dice: random.Random) -> Iterator[list[int]]:
    """Orders without end: a random one, then the same backwards, then a new random one, ..."""
    while True:
        order = list(range(contenders))
        dice.shuffle(order)
        yield order
        yield order[::-1]


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Carry out the orders: compare, and if ``seconds`` is above 0 measure each experiment that long."""
    compared = COMPARED_WHEN_MEASURING if orders["seconds"] else None
    benches = [Bench(experiment, orders["rows"], compared) for experiment in orders["experiments"]]
    if not orders["seconds"]:
        return {}
    return timed(benches, orders)


def timed(benches: Sequence[Timeable], orders: dict[str, Any]) -> dict[str, Any]:
    """The samples of each bench by its key, one bench after the other in an order that is drawn, and their clock."""
    step = clock_step_ns()
    block_ns = round(orders["block_ms"] * 1e6)
    dice = random.Random(orders["seed"])
    freeze_heap()
    samples = {}
    for bench in dice.sample(benches, len(benches)):
        bench.calibrate(block_ns, orders["warm_up"])
        samples[bench.key] = bench.rounds(orders["seconds"], dice)
    clock = "cpu" if step * STEPS_IN_A_BLOCK <= block_ns else "wall"
    return {"clock": clock, "clock_step_ns": step, "samples": samples}


def main() -> int:
    """Exit code 0 with the samples, 4 with what differed on standard error."""
    orders = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        answer = measure(orders)
    except WrongAnswer as error:
        print(error, file=sys.stderr)
        return 4
    json.dump(answer, out, separators=(",", ":"))
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
