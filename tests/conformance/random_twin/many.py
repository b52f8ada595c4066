"""Run many random programs in batches, in several processes."""

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

BATCH = 500  # examples per Hypothesis run, which keeps all drawn examples in memory


def run_batch(number: int, size: int) -> str | None:
    """Run `size` examples from the seed `number`. Return the first difference, reduced, as text, or None."""
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
    # If a request with an upload is refused before its end, the file stays open on both sides.
    warnings.simplefilter("ignore", ResourceWarning)
    same_on_both()
    return f"seed {number}:\n{explain(failed[0])}" if failed else None


def explain(program: Program) -> str | None:
    """Reduce `program` as far as it still shows a difference, and return this difference."""
    return difference(reduce(program, _differs))


def _differs(program: Program) -> bool:
    """Return whether `program` shows a difference. A step of `reduce` may make an invalid program: return False."""
    try:
        return difference(program) is not None
    except Exception:
        return False


def batches(examples: int, first_seed: int) -> Iterator[tuple[int, int]]:
    """Yield the seed and the size of each batch. The sizes add up to `examples`."""
    for start in range(0, examples, BATCH):
        yield first_seed + start // BATCH, min(BATCH, examples - start)


def run(examples: int, workers: int, first_seed: int) -> list[str]:
    """Run all batches, print the progress, and return the differences."""
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
