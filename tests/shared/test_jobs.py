"""Each accepted job is recorded once, whatever process is killed or paused at whatever step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.jobs.simulation import Simulation


def simulation(folder: Path, seed: int) -> Simulation:
    folder.mkdir()
    return Simulation(folder, seed)


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 600), marks=pytest.mark.long)])
def test_each_accepted_job_is_recorded_once(tmp_path: Path, seeds: range):
    for seed in seeds:
        made = simulation(tmp_path / f"{seed}", seed)
        recorded, left = made.run()
        assert (recorded, left) == (made.jobs, []), "\n".join([f"seed {seed}", *made.steps])


def test_the_same_seed_repeats_the_same_interleaving(tmp_path: Path):
    first, second, other = (simulation(tmp_path / f"{number}", seed) for number, seed in enumerate([1, 1, 2]))
    for made in (first, second, other):
        made.run()
    assert first.steps == second.steps != other.steps
