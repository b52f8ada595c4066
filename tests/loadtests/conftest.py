"""Fixtures: a very short run of the study "service", and made-up results."""

from dataclasses import replace

import pytest

from loadtests import run, studies
from loadtests.cli import overhead
from loadtests.instrument import stats
from loadtests.instrument.experiment import Pace
from tests.loadtests.synthetic import results_with
from tests.runner import CliRunner

TINY = studies.Budget(
    Pace(2, 0.02, 0.0, 0.5),
    pairs=1,
    other_pairs=1,
    load_seconds=0.3,
    load_warm_up=0.1,
    rate_seconds=0.3,
    import_rounds=1,
)
# The study without the parts that take long to import. These parts have their own tests.
SMALL = replace(
    studies.STUDIES["service"],
    experiments=(studies.NULL, studies.CHURN, studies.HOOKS),
    loads=(studies.SERVICES,),
    models=False,
)


POOL = stats.POOL


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Draw the rounds of a process a few times, because most tests of the report have samples without noise."""
    monkeypatch.setattr(stats, "POOL", 50)


@pytest.fixture
def all_draws(few_draws, monkeypatch):
    """Draw the rounds of a process as often as the command does."""
    monkeypatch.setattr(stats, "POOL", POOL)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The outcome of the command, and its output folder."""
    out = tmp_path_factory.mktemp("overhead")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "budget_of", lambda study, quick: TINY)
        patch.setitem(studies.STUDIES, "service", SMALL)
        outcome = CliRunner().invoke(overhead, ["--quick", "--out", str(out)])
    return outcome, out


@pytest.fixture
def made_up():
    """Results with blocks of known net costs: raw 5, Werkzeug 20, wsgi_core 10, Flask 50 µs. The driver costs 1 µs."""
    return results_with([1.0, 6.0, 21.0, 11.0, 11.0, 51.0])
