"""Turn the samples of an experiment into costs per request, and make functions that compute figures from the costs.

A *contender* is an application in an experiment. The *driver* is an application that does nothing, whose cost is
subtracted.
"""

from __future__ import annotations

import numpy as np

from loadtests.instrument.results import ExperimentResult, Process
from loadtests.instrument.stats import Figure, FloatArray


def matrix(process: Process, contenders: int) -> FloatArray:
    """Return the blocks of one process as µs per request, in the shape (rounds, 1 + contenders).

    Column 0 is the driver. The µs are CPU time or wall time, as ``process.clock`` says. Incomplete rounds are dropped.
    """
    rounds: dict[int, list[float]] = {}
    for block in process.blocks:
        row = rounds.setdefault(block.round, [np.nan] * (contenders + 1))
        row[block.contender] = (block.cpu_ns if process.clock == "cpu" else block.wall_ns) / block.requests / 1000
    table = np.array(list(rounds.values()), dtype=np.float64)
    return table[~np.isnan(table).any(axis=1)]


def matrices(result: ExperimentResult) -> list[FloatArray]:
    """Return the ``matrix`` of each process."""
    return [matrix(process, len(result.contenders)) for process in result.processes]


def net(index: int, driver: int = 0) -> Figure:
    """Return the function that computes the cost of contender ``index`` minus the cost of the driver."""
    return lambda cost: cost[..., index] - cost[..., driver]


def difference(one: int, other: int) -> Figure:
    """Return the function that computes the cost of contender ``one`` minus the cost of contender ``other``."""
    return lambda cost: cost[..., one] - cost[..., other]


def ratio(top: int, bottom: int) -> Figure:
    """Return the function that computes the ratio of two contenders' costs, ``top`` ÷ ``bottom``.

    The cost of the driver is subtracted from both costs.
    """
    return quotient(net(top), net(bottom))


def quotient(top: Figure, bottom: Figure) -> Figure:
    """Return the function that computes ``top(cost) / bottom(cost)``."""
    return lambda cost: top(cost) / bottom(cost)
