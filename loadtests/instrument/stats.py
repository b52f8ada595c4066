"""Compute figures with 95 % intervals from raw samples.

A *contender* is a measured application. A *round* has one block of requests of each contender, and is not split, so
that differences and ratios are paired. The independent units are the processes, because the layout of memory and of
hash tables biases all samples of a process alike. So the bootstrap first draws processes, and then rounds of each drawn
process.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Figure = Callable[[FloatArray], FloatArray]

RESAMPLES = 4000
POOL = 500
TRIM = 0.2
LEVEL = 0.95


class Estimate(NamedTuple):
    """A figure with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


def trimmed_mean(rounds: FloatArray) -> FloatArray:
    """Return each contender's mean over the rounds, without the 20 % smallest and the 20 % largest values.

    The shape (..., rounds, contenders) becomes (..., contenders). Extreme values are dropped because other processes of
    the machine may have caused them.
    """
    count = rounds.shape[-2]
    cut = int(count * TRIM)
    middle: FloatArray = np.sort(rounds, axis=-2)[..., cut : count - cut, :].mean(axis=-2)
    return middle


def resample(processes: Sequence[FloatArray], rng: np.random.Generator, resamples: int = RESAMPLES) -> FloatArray:
    """Return a two-level bootstrap of the contenders' costs, in the shape (resamples, contenders).

    ``processes`` has one array for each process, of shape (rounds, contenders): the cost per request in any unit.
    First, the rounds of each process are resampled ``POOL`` times. A resample has as many rounds as the process, drawn
    with replacement, and is reduced to its trimmed mean. Then each row of the result is made: as many processes as
    there are in ``processes`` are drawn with replacement, and one of the ``POOL`` trimmed means of each drawn process
    is chosen at random. The row is the mean of the chosen values.
    """
    pools = np.stack([_pool(rounds, rng) for rounds in processes])
    drawn = rng.integers(len(processes), size=(resamples, len(processes)))
    costs: FloatArray = pools[drawn, rng.integers(POOL, size=drawn.shape)].mean(axis=1)
    return costs


def _pool(rounds: FloatArray, rng: np.random.Generator) -> FloatArray:
    return trimmed_mean(rounds[rng.integers(len(rounds), size=(POOL, len(rounds)))])


def estimate(processes: Sequence[FloatArray], figures: Sequence[Figure], seed: int = 0) -> list[Estimate]:
    """Return an estimate for each of ``figures``. All estimates use the same resamples, which ``seed`` determines.

    ``processes`` has an array of shape (rounds, contenders) for each process: the cost per request in any unit. A
    figure is a function from costs of shape (..., contenders) to values of shape (...). If there is only one process,
    the interval is infinite.
    """
    costs = np.mean([trimmed_mean(rounds) for rounds in processes], axis=0)
    if len(processes) < 2:
        return [Estimate(float(figure(costs)), -math.inf, math.inf) for figure in figures]
    drawn = resample(processes, np.random.default_rng(seed))
    return [_interval(float(figure(costs)), figure(drawn), len(processes)) for figure in figures]


def _interval(value: float, drawn: FloatArray, units: int) -> Estimate:
    low, high = tail_shares(units)
    return Estimate(value, float(np.quantile(drawn, low)), float(np.quantile(drawn, high)))


def tail_shares(units: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the probabilities of the two bootstrap quantiles at the ends of the interval.

    ``units`` is the number n of independent units, such as processes. With few units, the usual percentile interval is
    too narrow. Its width is too small by the factor sqrt((n-1)/n), and it uses the normal distribution instead of
    Student's t. Hesterberg (2015, What Teachers Should Know about the Bootstrap) corrects both.
    """
    t = student_t_quantile((1 + level) / 2, units - 1)
    low = NormalDist().cdf(-t * math.sqrt(units / (units - 1)))
    return low, 1 - low


@functools.cache
def student_t_quantile(share: float, freedom: int) -> float:
    """Return the quantile of Student's t distribution at the probability ``share``, which is between 0.5 and 1.

    ``freedom`` is the number of degrees of freedom. A quantile above 1000 is returned as 1000.
    """
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_t_share(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def _student_t_share(t: float, freedom: int) -> float:
    # With x = sqrt(freedom) * tan(angle) the density becomes cos(angle) ** (freedom - 1), without a long tail.
    angles = np.linspace(0.0, math.atan(t / math.sqrt(freedom)), 2001)
    heights = np.cos(angles) ** (freedom - 1)
    area = float(((heights[1:] + heights[:-1]) / 2 * np.diff(angles)).sum())
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return 0.5 + scale * area


def student_estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of a few independent values with Student's interval. With one value, the interval is infinite.

    Use this function for units that have one value each, such as the repetitions of a load. A bootstrap interval of so
    few values would be too narrow.
    """
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Estimate(mean, -math.inf, math.inf)
    reach = student_t_quantile((1 + LEVEL) / 2, len(sample) - 1) * sample.std(ddof=1) / math.sqrt(len(sample))
    return Estimate(mean, mean - float(reach), mean + float(reach))


def student_ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Estimate:
    """Return the geometric mean of the ratios of paired values, top / bottom.

    The interval is Student's interval of the logarithms.
    """
    logs = [math.log(top / bottom) for top, bottom in zip(tops, bottoms, strict=True)]
    return Estimate(*(math.exp(part) for part in student_estimate(logs)))
