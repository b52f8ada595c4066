"""What the service's code costs: every part is measured, and the figures are made of them."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests import service_cost
from loadtests.service_cost import FIGURES, PARTS, main, measure, summarise
from tests.runner import CliRunner


def test_every_part_is_measured():
    measured = measure(2)
    assert measured.shape == (2, len(PARTS))
    assert (measured > 0).all()


def cost(whole: float) -> list[np.ndarray]:
    """Two processes in which every part costs 1 µs, and the whole so much."""
    return [np.array([[1.0, 1.0, 1.0, 1.0, whole, 1.0]] * 10)] * 2


def test_the_figures_are_those_of_a_row():
    figures = summarise(cost(8.0))
    assert figures.keys() == FIGURES.keys()
    assert figures["all on top of the model"].value == pytest.approx(7.0)


@pytest.mark.parametrize(("whole", "code"), [(8.0, 0), (17.0, 1)])
def test_the_exit_code_says_whether_the_goal_is_met(whole: float, code: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service_cost, "run_processes", lambda processes, rounds: cost(whole))
    assert CliRunner().invoke(main, []).exit_code == code
