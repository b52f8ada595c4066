"""Many random programs in batches, in as many processes as wanted."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from hypothesis import HealthCheck, Phase, given, seed, settings

from .program import Program
from .reduce import reduce
from .run import difference
from .strategy import programs

BATCH = 500  # examples of one hypothesis run; it keeps a tree of all that it drew


def run_batch(number: int, size: int) -> str | None:
    """Run `size` examples from the seed `number`; the first difference found, made small, or None."""
    failed: list[Program] = []

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(programs())
    def same_on_both(program: Program) -> None:
        if not failed and difference(program) is not None:
            failed.append(program)

    warnings.simplefilter("error")
    # An upload whose request is refused halfway stays open on both sides.
    warnings.simplefilter("ignore", ResourceWarning)
    same_on_both()
    return f"seed {number}:\n{explain(failed[0])}" if failed else None


def explain(program: Program) -> str | None:
    """The difference that `program` shows, in the smallest program that shows one."""
    return difference(reduce(program, _differs))


def _differs(program: Program) -> bool:
    """Whether `program` still is one, which a step of `reduce` doesn't ask, and shows a difference."""
    try:
        return difference(program) is not None
    except Exception:
        return False


def batches(examples: int, first_seed: int) -> Iterator[tuple[int, int]]:
    """Seeds and sizes of the batches that make up `examples`."""
    for start in range(0, examples, BATCH):
        yield first_seed + start // BATCH, min(BATCH, examples - start)


def run(examples: int, workers: int, first_seed: int) -> list[str]:
    """Run all batches, with a line of progress; what was found."""
    started, done, found = time.monotonic(), 0, list[str]()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        sizes = {pool.submit(run_batch, *batch): batch[1] for batch in batches(examples, first_seed)}
        for future in as_completed(sizes):
            done += sizes[future]
            report = future.result()
            if report is not None:
                found.append(report)
                print(f"\n{report}", flush=True)
            rate = done / (time.monotonic() - started)
            print(f"\r{done}/{examples} examples, {rate:.0f}/s, {len(found)} differences", end="", flush=True)
    print()
    return found
