"""Variants of interpreters and versions: a virtual environment for each, and their report."""

import sys
from pathlib import Path

import pytest
from click import UsageError

from loadtests import variants
from loadtests.environments import own_packages
from loadtests.instrument.experiment import Pace
from loadtests.instrument.inprocess import RunFailed, Workers
from loadtests.instrument.results import ResultError, Results
from loadtests.report import versions
from loadtests.report.analysis import summarise
from loadtests.studies import NULL, VERSIONS, with_requests
from tests.loadtests.synthetic import experiment, results

DOCS = Path(__file__).parents[2] / "docs" / "measure"
FILE = DOCS / "results" / "versions.json"

COSTS = {"raw callable": 5.0, "wsgi_core": 15.0, "wsgi_core again": 15.0, "Flask": 75.0}


def made(**options):
    slower = {name: cost * 1.2 for name, cost in COSTS.items()}
    one, other = (
        experiment(f"null, {name}", costs, ladder=True, title=name, **options)
        for name, costs in (("Python 3.11", COSTS), ("Python 3.14", slower))
    )
    return results(one, other, study=VERSIONS)


@pytest.fixture
def environments(monkeypatch):
    """Create no environments. Return the list of the packages that each would have."""
    seen = []
    monkeypatch.setattr(variants, "interpreter", lambda wanted, python, runtime: seen.append(wanted) or python)
    monkeypatch.setattr(variants, "versions", lambda python, packages: {"Python": "3", "flask": "1", "werkzeug": "2"})
    monkeypatch.setattr(variants, "own_packages", lambda python: "/")
    return seen


def test_each_variant_has_a_row_ratios_first():
    rows = versions.table(summarise(made())).rows
    assert [row[0] for row in rows] == ["Python 3.11", "Python 3.14"]
    assert rows[0][1] == "5.00 (5.00 to 5.00)"
    assert rows[1][3] == "90.0"


def test_variants_are_compared_with_the_first_one():
    said = versions.sentences(summarise(made()))[0]
    assert said.startswith("Flask: Python 3.14 costs 1.20 times as much as Python 3.11")
    noisy = versions.sentences(summarise(made(noise=0.2)))
    assert all("can be claimed" in said for said in noisy)


def test_the_page_is_made_of_the_results():
    text = versions.render(made())
    assert "| Python 3.14 | 5.00 (5.00 to 5.00) |" in text
    with pytest.raises(ResultError, match="not of several interpreters or versions"):
        versions.render(results())


@pytest.mark.parametrize(
    ("package", "asked"),
    [
        ("flask==3.0.*", ["flask==3.0.*"]),
        ("Flask<3.1", ["Flask<3.1"]),
        ("werkzeug==3.1.4", ["werkzeug==3.1.4", "flask==3.1.3"]),
        ("flask-cors", ["flask-cors", "flask==3.1.3"]),
    ],
)
def test_flask_is_part_of_each_environment_once(package, asked, environments):
    study, workers = variants.study_of([], [package], 5.0)
    assert environments[0][: len(asked)] == asked
    assert list(workers) == [study.experiments[0].group]
    assert study.experiments[0].group.startswith("Python 3, Flask 1, Werkzeug 2")


@pytest.mark.usefixtures("environments")
def test_versions_of_any_package_can_be_compared():
    study, workers = variants.study_of([], ["click==8.1.*", "click==8.2.*"], 5.0)
    names = [f"Python 3, Flask 1, Werkzeug 2, click=={version}.*" for version in ("8.1", "8.2")]
    assert list(workers) == [one.group for one in study.experiments] == names


@pytest.mark.usefixtures("environments")
def test_two_variants_with_the_same_versions_are_refused():
    with pytest.raises(UsageError, match=r"are the same: Python 3, Flask 1, Werkzeug 2$"):
        variants.study_of(["a", "b"], [], 5.0)


def test_a_worker_runs_by_another_root(tmp_path):
    """The packages are copied into the environment, and a worker runs from the copies."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    root = own_packages(str(python))
    study = with_requests(variants.Study(VERSIONS, "t", (NULL,), ()), [{"tenure_months": 12}])
    workers = Workers(timeout=30, python=sys.executable, root=root)
    assert workers.measure(study.experiments, Pace(1, 0.01, 0.0, 0.2), 1)["null"].blocks


def test_an_environment_that_cannot_be_made_is_said(tmp_path):
    with pytest.raises(RunFailed, match="could not create a virtual environment"):
        variants.study_of([str(tmp_path / "no-python")], [], 5.0)


@pytest.mark.skipif(not FILE.exists(), reason="no results are published here")
@pytest.mark.usefixtures("all_draws")
def test_the_published_page_is_that_of_the_published_results():
    assert (DOCS / "versions.md").read_text(encoding="utf-8") == versions.render(Results.read(FILE))
