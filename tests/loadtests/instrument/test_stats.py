"""Statistics of synthetic data with known results. The tests measure no times."""

import math

import numpy as np
import pytest

from loadtests.instrument.stats import (
    Estimate,
    estimate,
    resample,
    student_estimate,
    student_ratio,
    student_t_quantile,
    tail_shares,
    trimmed_mean,
)

pytestmark = pytest.mark.usefixtures("all_draws")


def synthetic(seed, costs, processes=10, rounds=30, between=0.1, within=0.5):
    """Return processes with a random bias for each contender, and with noise that all contenders of a round share."""
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(processes):
        bias = rng.normal(0, between, len(costs))
        shared = rng.normal(0, 2.0, (rounds, 1))
        tables.append(np.array(costs) + bias + shared + rng.normal(0, within, (rounds, len(costs))))
    return tables


def gap(cost):
    return cost[..., 1] - cost[..., 0]


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (5, 2.5706), (9, 2.2622), (30, 2.0423), (1000, 1.9623)]
)
def test_students_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student_t_quantile(0.975, freedom) == pytest.approx(quantile, abs=1e-3)


def test_few_units_take_quantiles_further_out():
    assert tail_shares(4)[0] < tail_shares(10)[0] < tail_shares(1000)[0] < 0.025
    assert tail_shares(10000)[0] == pytest.approx(0.025, abs=1e-4)


def test_a_disturbed_round_does_not_move_the_trimmed_mean():
    rounds = np.tile([[10.0, 20.0]], (20, 1))
    rounds[3, 0] = 1000.0
    assert trimmed_mean(rounds).tolist() == [10.0, 20.0]


def test_a_known_difference_is_found_within_its_interval():
    found = estimate(synthetic(1, [60.0, 65.0]), [gap])[0]
    assert found.low < 5.0 < found.high
    assert found.half_width < 0.5
    assert found.excludes(0)


def test_noise_that_a_round_shares_cancels_in_the_difference():
    tables = synthetic(2, [60.0, 65.0])
    cost, difference = estimate(tables, [lambda cost: cost[..., 0], gap])
    assert difference.half_width < cost.half_width


def test_ratios_come_from_the_same_draws_as_differences():
    found = estimate(synthetic(3, [10.0, 50.0]), [lambda cost: cost[..., 1] / cost[..., 0], gap])
    assert found[0].low < 5.0 < found[0].high
    assert found[1].low < 40.0 < found[1].high


@pytest.mark.parametrize(
    ("processes", "between"),
    [(6, 0.5), pytest.param(6, 0.05, marks=pytest.mark.long), pytest.param(10, 0.2, marks=pytest.mark.long)],
)
def test_equal_contenders_differ_falsely_in_at_most_five_percent(processes, between):
    """With 5 % false positives, fewer than 19 of 200 A/A comparisons are false with a probability of 99.8 %."""
    tables = (synthetic(seed, [60.0, 60.0], processes, 20, between) for seed in range(200))
    false = sum(estimate(table, [gap])[0].excludes(0) for table in tables)
    assert false < 19


def test_the_process_is_the_unit():
    """If 4,000 rounds were independent, the interval would be ±0.02. Ten processes do not average out their biases."""
    found = estimate(synthetic(4, [60.0, 60.0], processes=10, rounds=400, between=1.0), [gap])[0]
    assert found.half_width > 0.5


def test_processes_may_have_different_numbers_of_rounds():
    tables = [table[: 10 + index] for index, table in enumerate(synthetic(5, [60.0, 65.0]))]
    assert resample(tables, np.random.default_rng(0), 100).shape == (100, 2)


def test_one_process_gives_no_interval():
    found = estimate(synthetic(6, [60.0, 65.0], processes=1), [gap])[0]
    assert found.value == pytest.approx(5.0, abs=0.5)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_students_interval_of_a_handful():
    """Computed by hand: mean 3, s = sqrt(2.5), t(4) = 2.7764, half-width 1.9632."""
    found = student_estimate([1, 2, 3, 4, 5])
    assert found == pytest.approx((3.0, 1.0368, 4.9632), abs=1e-3)


def test_paired_ratios_ignore_what_a_pair_shares():
    found = student_ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0])
    assert found == pytest.approx((2.0, 2.0, 2.0))


def test_one_pair_gives_no_interval():
    assert math.isinf(student_estimate([1.0]).high)
    assert student_ratio([2.0], [1.0]).value == pytest.approx(2.0)


def test_an_estimate_excludes_what_lies_outside():
    assert Estimate(1.0, 0.9, 1.1).excludes(1.2)
    assert not Estimate(1.0, 0.9, 1.1).excludes(1.1)
