"""A run of the study "service" that is as short as can be, shared by the tests that read what it left."""

from dataclasses import replace

import pytest

from loadtests import run, studies
from loadtests.cli import overhead
from loadtests.instrument.experiment import Pace
from tests.loadtests.synthetic import results_with
from tests.runner import CliRunner

TINY = studies.Budget(
    Pace(2, 0.02, 0.0, 0.5),
    pairs=1,
    other_pairs=1,
    load_seconds=0.4,
    load_warm_up=0.2,
    rate_seconds=0.4,
    import_rounds=1,
)
# The whole study but for what takes long to import: that has tests of its own.
SMALL = replace(
    studies.STUDIES["service"],
    experiments=(studies.NULL, studies.CHURN, studies.HOOKS),
    loads=(studies.SERVICES,),
    models=False,
)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The outcome of the command, and the folder that it wrote."""
    out = tmp_path_factory.mktemp("overhead")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "budget_of", lambda study, quick: TINY)
        patch.setitem(studies.STUDIES, "service", SMALL)
        outcome = CliRunner().invoke(overhead, ["--quick", "--out", str(out)])
    return outcome, out


@pytest.fixture
def made_up():
    """Results with blocks of exactly known costs: raw 5, Werkzeug 20, wsgi_core 10, Flask 50 µs over a driver of 1."""
    return results_with([1.0, 6.0, 21.0, 11.0, 11.0, 51.0])
