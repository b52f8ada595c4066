"""Hot and cold caches: the states, the linear model and the page, from known costs."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtests import heat
from loadtests.instrument.results import ResultError, Results
from loadtests.report import charts, hot_and_cold
from loadtests.studies import HEAT, with_requests
from tests.loadtests.jobs import bench
from tests.loadtests.synthetic import experiment, results
from tests.loadtests.test_validate import runs

DOCS = Path(__file__).parents[2] / "docs" / "measure"
FILE = DOCS / "results" / "heat.json"
ROWS = [{"tenure_months": 12}]
# Each state costs wsgi_core 2 µs and Flask 10 µs more than the one before it.
OWN, FLASK = (10.0, 12.0, 14.0, 16.0, 18.0, 20.0), (60.0, 70.0, 80.0, 90.0, 100.0, 110.0)


def made(served_own=15.0, served_flask=85.0):
    found = []
    for place, one in enumerate((*heat.DATA, *heat.CODE)):
        place = min(place, 5)
        costs = {
            "raw callable": 5.0,
            "wsgi_core": 5 + OWN[place],
            "wsgi_core again": 5 + OWN[place],
            "Flask": 5 + FLASK[place],
        }
        found.append(experiment(f"{heat.KEY} {one}", costs, noise=0.001))
    for where, slope in (("Flask", 1.1), ("raw callable", 1.0)):
        for one in heat.PAUSED:
            costs = {"0 µs": 10.0, f"{heat.PAUSE} µs": 10 + slope * heat.PAUSE}
            found.append(experiment(f"pause {where}, {one}", costs, reference="0 µs"))
    load = {"key": f"{heat.KEY}_rate", "title": "t", "generator": "closed loop", "users": 4, "server_threads": 4}
    cpu = {"raw callable": 200.0, "wsgi_core": 200 + served_own, "Flask": 200 + served_flask}
    measured = [run.model_dump() for run in runs(cpu)]
    about = {**load, "mode": "rate", "services": list(cpu), "rate": 100.0, "runs": measured}
    return results(*found, study=HEAT, loads=[about])


def test_each_state_has_the_prices_over_the_bare_callable():
    found = heat.summarise(made())
    assert [state.prices["Flask"].value for state in found.states] == pytest.approx(FLASK, rel=0.01)
    assert found.states[0].ratio.value == pytest.approx(65 / 15, rel=0.01)
    assert [state.eviction for state in found.others] == ["200 functions of other code", "2000 functions of other code"]


def test_the_model_takes_the_coldness_from_wsgi_core_and_predicts_flask():
    found = heat.summarise(made()).served_prediction
    assert [found.coldness[name].value for name in ("wsgi_core", "Flask")] == pytest.approx([0.5, 0.5], abs=0.02)
    assert found.predicted.value == pytest.approx(85, rel=0.02)
    assert found.agrees
    assert "agrees with the prediction" in hot_and_cold.render(made())


def test_a_server_may_be_colder_than_the_largest_eviction():
    found = heat.summarise(made(served_own=25.0, served_flask=135.0)).served_prediction
    assert found.coldness["Flask"].value == pytest.approx(1.5, abs=0.02)
    assert found.predicted.value == pytest.approx(135, rel=0.02)
    assert "colder than after the largest eviction" in hot_and_cold.render(made(25.0, 135.0))


def test_a_prediction_that_fails_is_said_to_fail():
    text = hot_and_cold.render(made(served_flask=150.0))
    assert "The intervals do not overlap" in text
    assert "the same cost at two values" not in text


def test_each_eviction_tests_the_model():
    found = heat.summarise(made()).predictions
    assert [one.coldness["wsgi_core"].value for one in found] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0], abs=0.01)
    assert all(one.agrees for one in found)


def test_what_a_pause_costs_is_given_hot_and_cold():
    found = {where: slope.value for where, slope in heat.summarise(made()).slopes.items()}
    assert found["Flask", "nothing"] == pytest.approx(1.1)
    assert found["raw callable", "8 MiB of other data"] == pytest.approx(1.0)


@pytest.mark.parametrize("layout", [charts.WIDE, charts.NARROW])
def test_the_chart_says_what_it_shows(layout):
    root = ElementTree.fromstring(charts.heat_chart(heat.summarise(made()), layout).svg())
    assert "nothing: Flask 60.0 µs" in root.attrib["aria-label"]


def test_the_page_holds_every_state():
    text = hot_and_cold.render(made())
    for state in heat.summarise(made()).states:
        assert f"| {state.eviction} |" in text
    assert "use hot" in text
    assert "{{" not in text


def test_other_results_are_refused():
    with pytest.raises(ResultError, match="no measurements with evicted caches"):
        hot_and_cold.render(results())


def test_the_contenders_of_the_study_answer_alike():
    study = with_requests(heat.study(), ROWS)
    assert len({one.key for one in study.experiments}) == len(study.experiments)
    for one in study.experiments:
        assert bench(one, 1).timed


@pytest.mark.skipif(not FILE.exists(), reason="no results are published here")
@pytest.mark.usefixtures("all_draws")
def test_the_published_page_is_that_of_the_published_results():
    assert (DOCS / "hot-and-cold.md").read_text(encoding="utf-8") == hot_and_cold.render(Results.read(FILE))
